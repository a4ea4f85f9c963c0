/** Who imports whom: no circles, and nothing upwards. docs/design.md, "Parts", draws it. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { PROJECT } from './support/document';

const FOLDERS = ['core', 'nodes', 'credentials', 'bin'];

const files = FOLDERS.flatMap((folder) =>
	fs
		.readdirSync(path.join(PROJECT, folder), { recursive: true, encoding: 'utf8' })
		.filter((file) => file.endsWith('.ts'))
		.map((file) => path.join(folder, file)),
);

/** The files of this project that one imports, for their types as well. */
function importsOf(file: string): string[] {
	const text = fs.readFileSync(path.join(PROJECT, file), 'utf8');
	return ts.preProcessFile(text, true, true).importedFiles.flatMap(({ fileName }) => {
		if (!fileName.startsWith('.')) return [];
		const to = path.join(path.dirname(file), fileName.replace(/\.(?:ts|js)$/, ''));
		return [`${to}.ts`, `${to}.d.ts`].filter((each) => files.includes(each));
	});
}

/** One way round from a file to itself, if there is any. */
function circle(graph: ReadonlyMap<string, string[]>): string[] | null {
	const done = new Set<string>();
	const walk = (file: string, way: string[]): string[] | null => {
		if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
		if (done.has(file)) return null;
		for (const next of graph.get(file) ?? []) {
			const found = walk(next, [...way, file]);
			if (found) return found;
		}
		done.add(file);
		return null;
	};
	for (const file of graph.keys()) {
		const found = walk(file, []);
		if (found) return found;
	}
	return null;
}

it('nobody imports himself by way of others, not even for a type', () => {
	const graph = new Map(files.map((file) => [file, importsOf(file)]));
	expect(graph.get('core/verbs/backup/backup.ts')).toContain('core/streams/pipeline.ts');
	expect(circle(graph)).toBeNull();
	expect(circle(new Map([...graph, ['core/base/errors.ts', ['core/verbs/backup/backup.ts']]]))).not.toBeNull();
});

it('every folder of core is in a layer', () => {
	expect(fs.readdirSync(path.join(PROJECT, 'core')).sort()).toEqual([
		'base',
		'codecs',
		'records',
		'report',
		'retention',
		'sources',
		'storage',
		'streams',
		'verbs',
	]);
});

it('only the registry of sources, the nodes and the command line name a kind of source', () => {
	const others = files.filter((file) => !/^(?:core\/sources\/|nodes\/|bin\/|credentials\/)/.test(file));
	const named = others.filter((file) => importsOf(file).some((to) => /^core\/sources\/[^/]+\//.test(to)));
	expect(named).toEqual([]);
	const within = files.filter((file) => /^core\/sources\/[^/]+$/.test(file));
	expect(within.filter((file) => importsOf(file).some((to) => /^core\/sources\/[^/]+\//.test(to)))).toEqual([
		'core/sources/registry.ts',
	]);
});

describe('the walls', () => {
	/** File and what it imports; whether its types may be had. */
	const FORBIDDEN: Array<[string, string, boolean?]> = [
		['core/base/retry.ts', '../storage/storage'],
		['core/storage/url.ts', '../streams/pipeline'],
		['core/codecs/age/age.ts', '../../records/manifest'],
		['core/records/repository.ts', '../verbs/backup/backup'],
		['core/streams/pipeline.ts', '../sources/source'],
		['core/sources/postgres/dump/dump.ts', '../../../verbs/backup/backup'],
		['core/verbs/backup/backup.ts', '../report/run-report'],
		['core/report/run-report.ts', '../verbs/backup/backup'],
		['core/report/run-report.ts', '../sources/postgres/dump/dump'],
		['core/verbs/backup/backup.ts', '../../../nodes/shared/run'],
		['core/verbs/backup/backup.ts', '../../sources/postgres/dump/dump'],
		['core/verbs/backup/backup.ts', 'n8n-workflow'],
		['core/verbs/backup/backup.ts', 'node:child_process'],
		['nodes/shared/run.ts', '../../core/codecs/zstd/zstd', true],
		['nodes/shared/run.ts', '../../core/storage/s3/s3'],
	];
	const ALLOWED = [
		['core/storage/url.ts', '../base/errors'],
		['core/report/run-report.ts', '../records/label'],
		['core/verbs/backup/backup.ts', '../../sources/source'],
		['core/verbs/backup/backup.ts', '../../sources/registry'],
		['core/sources/postgres/dump/engines/native.ts', 'node:child_process'],
		['nodes/shared/run.ts', '../../core/codecs/age/keys'],
	] as const;
	const lines = [
		...FORBIDDEN.flatMap(([file, what]) => [
			[file, `import { x } from '${what}';`],
			[file, `import type { x } from '${what}';`],
		]),
		...ALLOWED.map(([file, what]) => [file, `import { x } from '${what}';`]),
	];
	let messages: Map<string, string[]>;
	beforeAll(() => {
		const program = path.join(PROJECT, 'test/support/walls.mjs');
		const answer = execFileSync(process.execPath, [program], { input: JSON.stringify(lines), encoding: 'utf8' });
		const found = JSON.parse(answer) as string[][];
		messages = new Map(lines.map((line, n) => [line.join(' '), found[n]!]));
	});

	it.each(FORBIDDEN)('keep %s from %s', (file, what, typesMayBeHad = false) => {
		expect(messages.get(`${file} import { x } from '${what}';`)).toHaveLength(1);
		expect(messages.get(`${file} import type { x } from '${what}';`)).toHaveLength(typesMayBeHad ? 0 : 1);
	});

	it.each(ALLOWED)('let %s have %s', (file, what) => {
		expect(messages.get(`${file} import { x } from '${what}';`)).toEqual([]);
	});
});
