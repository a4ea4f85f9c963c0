/**
 * npm run bench -- files: trees of files into a folder, by us, by `tar | zstd | age`, by restic and by borg, side by side: the first backup, one
 * after which nothing has changed, one after one file of a thousand has changed, and the restore.
 *
 *   --only mixed,small,large   these trees only
 *   --runs 3                   rounds; the figures are medians. The large files have one: their bytes are many enough.
 *   --large 5G                 bytes of the tree of large files
 *   --folder DIR               on which disk everything lies (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run writes its tables into bench/README.md.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { median, mega } from './comparison.ts';
import type { Secrets } from './contenders.ts';
import { machineShape, programVersions } from './machine.ts';
import { type CommandOptions, measure, type Measurement, output } from './measure.ts';
import { intoReadme, makeKeys, parseSize, reportDate, ROOT, runBenchmark, say } from './program.ts';
import { aimRow, markdown } from './table.ts';
import { makeFiles } from './trees.ts';

const { values: options } = parseArgs({
	options: {
		only: { type: 'string', default: 'mixed,small,large' },
		runs: { type: 'string', default: '3' },
		large: { type: 'string', default: '5G' },
		folder: { type: 'string', default: os.tmpdir() },
	},
});

const TREES = ['mixed', 'small', 'large'] as const;
type Tree = (typeof TREES)[number];
const TASKS = ['first backup', 'nothing changed', 'one of 1,000 changed', 'restore'] as const;
type Task = (typeof TASKS)[number];
const CONTENDERS = ['ours', 'pipeline', 'restic', 'borg'] as const;
type Contender = (typeof CONTENDERS)[number];

const OURS = `${process.execPath} --require ${ROOT}/bench/event-loop.cjs ${ROOT}/dist/bin/n8n-backup.js`;
const TITLES: Record<Contender, string> = {
	ours: '**ours**',
	pipeline: '`tar \\| zstd -3 -T0 \\| age`',
	restic: 'restic',
	borg: 'borg',
};

/** A run, and how many bytes the repository grew by. */
type Run = Measurement & { stored: number };
type Runs = Map<`${Task}/${Contender}`, Run[]>;

void runBenchmark(main);

async function main(temporary: string, signal: AbortSignal): Promise<void> {
	const trees = options.only.split(',');
	const unknown = trees.find((tree) => !TREES.some((known) => known === tree));
	if (unknown !== undefined) throw new Error(`--only ${unknown} is not known: ${TREES.join(', ')}`);
	const rounds = Number(options.runs);
	const base = fs.mkdtempSync(path.join(options.folder, 'bench-trees-'));
	try {
		const keys = await makeKeys(temporary, signal);
		const sections: string[] = [];
		for (const tree of TREES.filter((each) => trees.includes(each))) {
			const folder = path.join(base, tree);
			fs.mkdirSync(folder);
			say(`${tree}: make the tree`);
			const bytes = makeTree(tree, path.join(folder, 'tree'));
			const runs = await compare(tree, folder, { rounds: tree === 'large' ? 1 : rounds, temporary, keys, signal });
			sections.push(section(tree, bytes, runs));
			fs.rmSync(folder, { recursive: true });
		}
		const text = await report(sections, rounds, signal);
		process.stdout.write(`${text}\n`);
		const isComplete = rounds >= 3 && trees.length === TREES.length && parseSize(options.large) >= 5e9;
		if (isComplete) await intoReadme('files', text);
		else say('not a complete run: bench/README.md stays as it is');
	} finally {
		fs.rmSync(base, { recursive: true, force: true });
	}
}

/** Half of each file is text that compresses, half does not, as on servers; large files do not at all. @returns bytes */
function makeTree(tree: Tree, folder: string): number {
	if (tree === 'large') return makeFiles(folder, 10, parseSize(options.large) / 10, 0);
	return tree === 'mixed' ? makeFiles(folder, 20_000, 25_000, 0.5) : makeFiles(folder, 100_000, 1_000, 0.5);
}

interface CompareOptions {
	rounds: number;
	/** For files of the measurement. */
	temporary: string;
	keys: Secrets;
	signal: AbortSignal;
}

async function compare(tree: Tree, folder: string, { rounds, temporary, keys, signal }: CompareOptions): Promise<Runs> {
	const env = { RESTIC_PASSWORD: 'bench', BORG_PASSPHRASE: 'bench', BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' };
	const how = { env: { ...env, RESTIC_CACHE_DIR: `${folder}/cache`, BORG_BASE_DIR: `${folder}/borg-home` }, signal };
	const commands = commandsFor(folder, keys);
	const runs: Runs = new Map();
	for (let round = 0; round < rounds; round++) {
		for (const contender of CONTENDERS) {
			const repository = path.join(folder, contender);
			fs.rmSync(repository, { recursive: true, force: true });
			fs.mkdirSync(repository);
			await output(commands[contender].init ?? 'true', how);
			for (const task of TASKS) {
				const command = commands[contender][task];
				if (command === undefined) continue;
				if (task === 'one of 1,000 changed') change(path.join(folder, 'tree'), round);
				const before = await sizeOf(repository, how);
				await output('sync', how);
				const run = await measure(command, temporary, how);
				const stored = (await sizeOf(repository, how)) - before;
				runs.set(`${task}/${contender}`, [...(runs.get(`${task}/${contender}`) ?? []), { ...run, stored }]);
				say(
					`${tree}, round ${round + 1}, ${task}: ${contender} ${run.wall.toFixed(1)} s, ${mega(run.memory)} MB memory, ${mega(stored)} MB stored`,
				);
				if (task === 'restore') await check(folder, how);
			}
		}
	}
	return runs;
}

function commandsFor(folder: string, { recipient, identityFile }: { recipient: string; identityFile: string }) {
	const [tree, to] = [`${folder}/tree`, `${folder}/restored`];
	const clean = `rm -rf ${to} && mkdir ${to}`;
	const ours = `${OURS} archive --storage file://${folder}/ours --group files/tree --path ${tree} --recipient ${recipient} --identity ${identityFile} --type auto`;
	const restic = `restic -q -r ${folder}/restic`;
	const borg = `borg create --compression zstd,3 ${folder}/borg::{now:%s%f} ${tree}`;
	return {
		ours: {
			init: undefined,
			'first backup': ours,
			'nothing changed': ours,
			'one of 1,000 changed': ours,
			restore: `${clean} && ${OURS} restore files/tree --storage file://${folder}/ours --identity ${identityFile} --to ${to}`,
		},
		pipeline: {
			init: undefined,
			'first backup': `tar -C / -cf - ${tree.slice(1)} | zstd -q -3 -T0 | age -r ${recipient} > ${folder}/pipeline/full.tar.zst.age`,
			'nothing changed': undefined,
			'one of 1,000 changed': undefined,
			restore: `${clean} && age -d -i ${identityFile} ${folder}/pipeline/full.tar.zst.age | zstd -q -d | tar -C ${to} -xf -`,
		},
		restic: {
			init: `${restic} init`,
			'first backup': `${restic} backup ${tree}`,
			'nothing changed': `${restic} backup ${tree}`,
			'one of 1,000 changed': `${restic} backup ${tree}`,
			restore: `${clean} && ${restic} restore latest --target ${to}`,
		},
		borg: {
			init: `borg init -e repokey-blake2 ${folder}/borg`,
			'first backup': borg,
			'nothing changed': borg,
			'one of 1,000 changed': borg,
			restore: `${clean} && cd ${to} && borg extract ${folder}/borg::$(borg list --last 1 --short ${folder}/borg)`,
		},
	} satisfies Record<Contender, Partial<Record<Task | 'init', string | undefined>>>;
}

/** Writes something else into one file of a thousand, or into one where there are fewer. */
function change(tree: string, round: number): void {
	const files = fs.readdirSync(tree, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	for (let at = round; at < files.length; at += 1000) {
		const file = path.join(files[at]!.parentPath, files[at]!.name);
		const fd = fs.openSync(file, 'r+');
		fs.writeSync(fd, randomBytes(500), 0, 500, 0);
		fs.closeSync(fd);
	}
}

async function sizeOf(folder: string, how: CommandOptions): Promise<number> {
	return Number(await output(`du -sb ${folder} | cut -f1`, how));
}

/** The pipeline's archive is older than the last change. @throws Error where a restored tree differs otherwise */
async function check(folder: string, how: CommandOptions): Promise<void> {
	const missing = await output(`cd ${folder} && diff -rq tree restored${folder}/tree | grep -c '^Only' || true`, how);
	if (missing !== '0') throw new Error(`${missing} files differ after the restore in ${folder}`);
}

function section(tree: Tree, bytes: number, runs: Runs): string {
	const of = (task: Task, contender: Contender, value: (run: Run) => number) =>
		median((runs.get(`${task}/${contender}`) ?? []).map(value));
	const rows = TASKS.flatMap((task) =>
		CONTENDERS.flatMap((contender) => {
			const all = runs.get(`${task}/${contender}`);
			if (!all) return [];
			const walls = all.map(({ wall }) => wall);
			const base = runs.has(`${task}/pipeline`) ? 'pipeline' : 'restic';
			return [
				[
					task,
					TITLES[contender],
					`${median(walls).toFixed(1)} s (${Math.min(...walls).toFixed(1)}–${Math.max(...walls).toFixed(1)})`,
					(of(task, contender, ({ wall }) => wall) / of(task, base, ({ wall }) => wall)).toFixed(2),
					`${of(task, contender, ({ cpu }) => cpu).toFixed(1)} s`,
					`${mega(of(task, contender, ({ memory }) => memory))} MB`,
					task === 'restore' ? '' : `${mega(of(task, contender, ({ stored }) => stored))} MB`,
				],
			];
		}),
	);
	const head = ['', '', 'wall time', '×', 'CPU time', 'peak memory', 'stored'];
	const wall = ({ wall: seconds }: Run) => seconds;
	const times = (task: Task, to: Contender) => of(task, 'ours', wall) / of(task, to, wall);
	const stored = (task: Task) => of(task, 'ours', ({ stored: kept }) => kept);
	const full = stored('first backup');
	const aims = [
		aimRow('first backup: wall time of the pipeline', times('first backup', 'pipeline'), 1.3, 'at most', '×'),
		aimRow('first backup: faster than restic', 1 / times('first backup', 'restic'), 3, 'at least', '×'),
		aimRow('nothing changed: wall time of restic', times('nothing changed', 'restic'), 1, 'at most', '×'),
		aimRow('nothing changed: stored of the full one', (100 * stored('nothing changed')) / full, 1, 'at most', ' %'),
		aimRow(
			'one of 1,000 changed: saved of the full one',
			100 - (100 * stored('one of 1,000 changed')) / full,
			90,
			'at least',
			' %',
		),
		aimRow('peak memory', of('first backup', 'ours', ({ memory }) => memory) / 1e6, 300, 'at most', ' MB'),
		aimRow('restore: wall time of the pipeline', times('restore', 'pipeline'), 1.3, 'at most', '×'),
	];
	const titles = {
		mixed: '20,000 files of 25 kB',
		small: '100,000 files of 1 kB',
		large: '10 files that do not compress',
	};
	return [
		`### ${titles[tree]}: ${mega(bytes)} MB`,
		markdown([head, ['---', '---', '---:', '---:', '---:', '---:', '---:'], ...rows]),
		markdown([['aim', 'limit', 'measured', ''], ['---', '---:', '---:', '---'], ...aims]),
	].join('\n\n');
}

async function report(sections: readonly string[], rounds: number, signal: AbortSignal): Promise<string> {
	return [
		`${reportDate('files')}: ${rounds} round${rounds === 1 ? '' : 's'}, of the large files one.`,
		`Machine: ${machineShape()}. Programs: ${await programVersions(['zstd', 'age', 'restic'], signal)}.`,
		'× is the ratio to the pipeline, or to restic where the pipeline cannot do it. CPU time and peak memory are the sums of all processes. Ours are whole ' +
			'commands: start of Node, lock, index with a digest of every file, journal, manifest; a restore compares every file afterwards.',
		...sections,
	].join('\n\n');
}
