/** Very many files: archives and restores of them, and in `npm run soak` lists and comparisons, need no more memory than those of a few. */
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createStorage } from '../../../core/storage/create';
import { Repository } from '../../../core/records/repository';
import { compileProgram, type CompiledProgram } from '../../support/compiled-program';
import { createFolder, removeFolder } from '../../support/folders';
import { rounds } from '../../support/soak';

/** A million in `npm run soak`. */
const FILES = rounds(3000, 1_000_000);
const PER_FOLDER = 1000;
/** So many have contents of their own; all others share them, in an order that is not that of the archive. */
const CONTENTS = Math.floor(FILES / 20);
/** Of the whole process; Node and the program alone need about a third. */
const MAX_MEMORY_BYTES = 300e6;
/** Of a restore of a part by a hundred patterns: 420 MB with a million files, which is more than is aimed at. */
const MAX_RESTORE_BYTES = 500e6;

let folder: string;
let tree: string;
let program: CompiledProgram;
beforeAll(() => {
	folder = createFolder('many');
	tree = path.join(folder, 'tree');
	program = compileProgram();
	for (let number = 0; number < FILES; number++) {
		const below = path.join(tree, String(Math.floor(number / PER_FOLDER)).padStart(4, '0'));
		if (number % PER_FOLDER === 0) fs.mkdirSync(below, { recursive: true });
		const file = path.join(below, `a file with a name of some length, number ${number}`);
		// The first twentieth holds all contents, and each later file those of one of them.
		fs.writeFileSync(file, `contents ${number < CONTENTS ? number : (number * 7919) % CONTENTS}`);
		fs.utimesSync(file, 1e9, 1e9);
	}
}, 1_800_000);
afterAll(() => {
	program.remove();
	removeFolder(folder);
});

/** Runs a command. @returns the most memory that it had, bytes */
async function peakOf(...args: string[]): Promise<number> {
	const child = program.start([...args, '--storage', `file://${folder}/storage`], { TMPDIR: folder });
	let peak = 0;
	const watch = setInterval(() => {
		try {
			const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
			peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
		} catch (error) {
			// It has just ended.
			if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code!)) throw error;
		}
	}, 20);
	const [code] = (await once(child, 'exit')) as [number | null];
	clearInterval(watch);
	expect({ args: args[0], code }).toEqual({ args: args[0], code: 0 });
	process.stdout.write(`${FILES} files: ${args[0]} took up to ${Math.round(peak / 1e6)} MB\n`);
	return peak;
}

/** An incremental archive, and what reads indexes alone. @returns the most memory of each */
async function others(archive: string[]): Promise<number[]> {
	fs.writeFileSync(path.join(tree, '0000', 'a new one'), 'new');
	const peaks = [await peakOf(...archive, '--type', 'incremental')];
	const storage = createStorage({ type: 'folder', path: path.join(folder, 'storage') });
	const repository = await Repository.open(storage);
	const [full, incremental] = (await repository.list('files/many')).map(({ label }) => label);
	const { source } = await repository.readManifest('files/many', incremental!);
	expect(source.details).toMatchObject({ files: FILES + 1, storedEntries: 2 });
	await storage.close();
	peaks.push(await peakOf('ls', 'files/many'));
	peaks.push(await peakOf('diff', 'files/many', full!, incremental!));
	return peaks;
}

it(
	`${FILES} of them are archived, listed and compared in 300 MB of memory, and restored in little more`,
	async () => {
		fs.mkdirSync(path.join(folder, 'storage'));
		const archive = ['archive', '--group', 'files/many', '--path', tree, '--no-encryption'];
		const peaks = [await peakOf(...archive, '--type', 'full')];
		if (rounds(false, true)) peaks.push(...(await others(archive)));
		// Of the last tenth, each points back to contents that lie anywhere before it.
		const folders = Math.ceil(FILES / PER_FOLDER);
		const wanted = Array.from({ length: Math.ceil(folders / 10) }, (_, at) =>
			String(folders - 1 - at).padStart(4, '0'),
		);
		const patterns = wanted.flatMap((name) => ['--include', `${tree}/${name}/`]);
		const to = path.join(folder, 'to');
		const restorePeak = await peakOf('restore', 'files/many', '--to', to, ...patterns);
		for (const name of wanted.slice(0, 3)) {
			const [before, after] = [path.join(tree, name), path.join(to, tree, name)];
			const names = fs.readdirSync(before);
			expect(fs.readdirSync(after)).toEqual(names);
			for (const each of names) {
				expect(fs.readFileSync(path.join(after, each), 'utf8')).toBe(fs.readFileSync(path.join(before, each), 'utf8'));
			}
		}
		for (const peak of peaks) expect(peak).toBeLessThan(MAX_MEMORY_BYTES);
		expect(restorePeak).toBeLessThan(MAX_RESTORE_BYTES);
		expect(Math.min(restorePeak, ...peaks)).toBeGreaterThan(0);
	},
	rounds(120_000, 3_600_000),
);
