/**
 * npm run bench -- bucket: a bucket with small objects and one with large ones, backed up into a folder and into another bucket, by us, by
 * `rclone sync`, by `rclone copy`, `tar | zstd | age`, and by restic from `rclone mount` where that works: the first
 * backup, and one after which nothing has changed, which is compared with a bare listing.
 *
 *   --small 10000              how many objects of 10 kB
 *   --large 1G                 bytes of 20 large objects
 *   --only small,large         these buckets only
 *   --to folder,bucket         into these only
 *   --runs 3                   rounds; the figures are medians
 *   --folder DIR               on which disk everything lies (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run writes its tables into bench/README.md.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, mega } from './comparison.ts';
import { type Destination, folderDestination, s3Destination, secondRemote } from './destinations.ts';
import { machineShape, programVersions } from './machine.ts';
import { type CommandOptions, measure, type Measurement, output } from './measure.ts';
import { intoReadme, makeKeys, parseSize, reportDate, ROOT, runBenchmark, say } from './program.ts';
import { aimRow, markdown } from './table.ts';
import { makeFiles } from './trees.ts';

const { values: options } = parseArgs({
	options: {
		small: { type: 'string', default: '10000' },
		large: { type: 'string', default: '1G' },
		only: { type: 'string', default: 'small,large' },
		to: { type: 'string', default: 'folder,bucket' },
		runs: { type: 'string', default: '3' },
		folder: { type: 'string', default: os.tmpdir() },
	},
});

const KINDS = ['small', 'large'] as const;
type Kind = (typeof KINDS)[number];
const PLACES = ['folder', 'bucket'] as const;
const TASKS = ['first backup', 'nothing changed'] as const;
type Task = (typeof TASKS)[number];
const CONTENDERS = ['ours', 'sync', 'pipeline', 'restic', 'listing'] as const;
type Contender = (typeof CONTENDERS)[number];

const OURS = `${process.execPath} --require ${ROOT}/bench/event-loop.cjs ${ROOT}/dist/bin/n8n-backup.js`;
const TITLES: Record<Contender, string> = {
	ours: '**ours**',
	sync: '`rclone sync`',
	pipeline: '`rclone copy`, then `tar \\| zstd -3 -T0 \\| age`',
	restic: '`rclone mount`, then restic',
	listing: 'bare listing: `rclone lsf`',
};

type Runs = Map<`${Task}/${Contender}`, Measurement[]>;

void runBenchmark(main);

async function main(temporary: string, signal: AbortSignal): Promise<void> {
	const [kinds, places] = [chosen('only', KINDS), chosen('to', PLACES)];
	const rounds = Number(options.runs);
	const base = fs.mkdtempSync(path.join(options.folder, 'bench-bucket-'));
	const opened: Destination[] = [];
	try {
		opened.push(await folderDestination(base), await s3Destination(signal));
		const [folder, s3] = opened as [Destination, Destination];
		const how = { env: { ...s3.env, ...secondRemote(s3.env), RESTIC_PASSWORD: 'bench' }, signal };
		const keys = await makeKeys(temporary, signal);
		const mount = await mountable(base, how);
		if (!mount) say('restic cannot back up an rclone mount here: it is left out');
		const sections: string[] = [];
		for (const kind of kinds) {
			const tree = path.join(base, kind);
			say(`${kind}: make the bucket`);
			const [count, size] = kind === 'small' ? [Number(options.small), 10_000] : [20, parseSize(options.large) / 20];
			const bytes = makeFiles(tree, count, size, 0.5);
			await output(`rclone -q mkdir bench:${kind} && rclone -q copy --transfers 16 ${tree} bench:${kind}`, how);
			for (const place of places) {
				const to = place === 'folder' ? folder : s3;
				const scene = { kind, place, to, base, tree, source: s3.storage.replace('s3://bench', `s3://${kind}`) };
				const commands = commandsFor(scene, keys, mount);
				const runs = await compare(scene, commands, { ...how, rounds, temporary });
				sections.push(section(scene, { count, bytes }, runs));
			}
			await output(`rclone -q purge bench:${kind}`, how);
			await s3.reclaim();
			fs.rmSync(tree, { recursive: true });
		}
		const text = await report(sections, { rounds, mount, signal });
		process.stdout.write(`${text}\n`);
		const isWhole = kinds.length === KINDS.length && places.length === PLACES.length;
		const isLarge = Number(options.small) >= 10_000 && parseSize(options.large) >= 1e9;
		if (isWhole && isLarge && rounds >= 3) await intoReadme('bucket', text);
		else say('not a complete run: bench/README.md stays as it is');
	} finally {
		for (const destination of opened) await destination.close();
		fs.rmSync(base, { recursive: true, force: true });
	}
}

function chosen<Name extends string>(option: 'only' | 'to', known: readonly Name[]): readonly Name[] {
	const wanted = options[option].split(',');
	const unknown = wanted.find((name) => !known.some((each) => each === name));
	if (unknown !== undefined) throw new Error(`--${option} ${unknown} is not known: ${known.join(', ')}`);
	return known.filter((name) => wanted.includes(name));
}

/** What is backed up, and where to. */
interface Scene {
	kind: Kind;
	place: (typeof PLACES)[number];
	to: Destination;
	/** For what contenders need besides. */
	base: string;
	/** The files that the objects were made of. */
	tree: string;
	/** As our command line wants it. */
	source: string;
}

/** Whether restic can back up a mounted bucket: in many containers none can be mounted, and some mounts refuse what restic asks for. */
async function mountable(base: string, how: CommandOptions): Promise<boolean> {
	const [at, probe] = [path.join(base, 'mount'), path.join(base, 'probe')];
	fs.mkdirSync(at);
	const restic = `restic -q -r ${probe}`;
	const tried = `echo x | rclone -q rcat bench:bench/probe && ${restic} init && ${mountedBackup('bench', at, restic)}`;
	const said = await output(
		`(${tried}) > /dev/null 2>&1 || echo no; rm -rf ${probe}; rclone -q delete bench:bench`,
		how,
	);
	return said !== 'no';
}

function mountedBackup(bucket: string, at: string, restic: string): string {
	const backup = `(cd ${at} && ${restic} backup .)`;
	return `rclone -q mount --read-only bench:${bucket} ${at} --daemon && ${backup} && fusermount -u ${at} || { fusermount -u ${at}; false; }`;
}

interface Commands {
	first: string;
	/** Absent where it is the first one again, or makes no sense. */
	again?: string;
	/** Writes what was stored as files into a folder. */
	restore: (to: string) => string;
}

function commandsFor(
	{ kind, place, to, base, source }: Scene,
	{ recipient, identityFile }: { recipient: string; identityFile: string },
	mount: boolean,
): Partial<Record<Contender, Commands>> {
	const ours = `${OURS} bucket --storage '${to.storage}' --group bucket/${kind} --from '${source}' --recipient ${recipient} --identity ${identityFile}`;
	// Between two buckets of one remote, rclone lets the server copy, which two servers could not do.
	const remote = place === 'folder' ? path.join(fileURLToPath(to.storage), 'sync') : 'second:bench/sync';
	const sync = `rclone -q sync --disable copy bench:${kind} ${remote}`;
	const files = path.join(base, 'copied');
	const archive = `full-${kind}.tar.zst.age`;
	const restic = `restic -q -r ${to.repository}`;
	const mounted = mountedBackup(kind, path.join(base, 'mount'), restic);
	return {
		ours: {
			first: `${ours} --type full`,
			again: `${ours} --type incremental`,
			restore: (folder) =>
				`${OURS} restore bucket/${kind} --storage '${to.storage}' --identity ${identityFile} --to ${folder}`,
		},
		sync: { first: sync, again: sync, restore: (folder) => `rclone -q copy ${remote} ${folder}` },
		pipeline: {
			first: `rclone -q copy bench:${kind} ${files} && tar -C ${files} -cf - . | zstd -q -3 -T0 | age -r ${recipient} ${to.sink(archive)} && rm -rf ${files}`,
			restore: (folder) =>
				`mkdir ${folder} && ${to.source(archive)} | age -d -i ${identityFile} | zstd -q -d | tar -C ${folder} -xf -`,
		},
		...(mount && {
			restic: {
				first: `${restic} init && ${mounted}`,
				again: mounted,
				restore: (folder: string) => `${restic} restore latest --target ${folder}`,
			},
		}),
	};
}

async function compare(
	{ kind, place, to, base, tree }: Scene,
	commands: Partial<Record<Contender, Commands>>,
	{ rounds, temporary, ...how }: CommandOptions & { rounds: number; temporary: string },
): Promise<Runs> {
	const runs: Runs = new Map();
	const note = (task: Task, contender: Contender, run: Measurement, round: number) => {
		runs.set(`${task}/${contender}`, [...(runs.get(`${task}/${contender}`) ?? []), run]);
		say(
			`${kind} into a ${place}, round ${round + 1}, ${task}: ${contender} ${run.wall.toFixed(2)} s, ${mega(run.memory)} MB memory`,
		);
	};
	for (let round = 0; round < rounds; round++) {
		const inTurn = round % 2 === 0 ? CONTENDERS : CONTENDERS.toReversed();
		for (const contender of inTurn) {
			const { first, again, restore } = commands[contender] ?? {};
			if (contender === 'listing') {
				const list = `rclone -q lsf -R --fast-list --use-server-modtime --files-only --format pst bench:${kind}`;
				note('nothing changed', contender, await measure(`${list} > /dev/null`, temporary, how), round);
			}
			if (first === undefined) continue;
			await to.clear();
			await output('sync', how);
			note('first backup', contender, await measure(first, temporary, how), round);
			if (again !== undefined) note('nothing changed', contender, await measure(again, temporary, how), round);
			if (round === 0) await check(restore!, base, tree, how);
		}
	}
	await to.clear();
	return runs;
}

/** @throws Error where what comes back is not what was backed up */
async function check(restore: Commands['restore'], base: string, tree: string, how: CommandOptions): Promise<void> {
	const folder = path.join(base, 'restored');
	await output(`${restore(folder)} > /dev/null && diff -rq ${tree} ${folder} >&2`, how);
	fs.rmSync(folder, { recursive: true });
}

function section({ kind, place }: Scene, { count, bytes }: { count: number; bytes: number }, runs: Runs): string {
	const all = (task: Task, contender: Contender) => runs.get(`${task}/${contender}`) ?? [];
	const wall = (task: Task, contender: Contender) => median(all(task, contender).map((run) => run.wall));
	const ratio = (task: Task, one: Contender, other: Contender) =>
		median(all(task, one).map((run, round) => run.wall / all(task, other)[round]!.wall));
	const rows = TASKS.flatMap((task) =>
		CONTENDERS.flatMap((contender) => {
			const measured = all(task, contender);
			if (measured.length === 0) return [];
			const walls = measured.map((run) => run.wall);
			return [
				[
					...[task, TITLES[contender]],
					`${wall(task, contender).toFixed(2)} s (${Math.min(...walls).toFixed(2)}–${Math.max(...walls).toFixed(2)})`,
					ratio(task, contender, task === 'first backup' ? 'sync' : 'listing').toFixed(2),
					`${median(measured.map((run) => run.cpu)).toFixed(1)} s`,
					`${mega(median(measured.map((run) => run.memory)))} MB`,
				],
			];
		}),
	);
	const aims = [
		aimRow('first backup: wall time of `rclone sync`', ratio('first backup', 'ours', 'sync'), 1, 'at most', '×'),
		aimRow(
			'nothing changed: wall time of the bare listing',
			ratio('nothing changed', 'ours', 'listing'),
			1.2,
			'at most',
			'×',
		),
		aimRow(
			'first backup: peak memory',
			median(all('first backup', 'ours').map((run) => run.memory)) / 1e6,
			300,
			'at most',
			' MB',
		),
	];
	return [
		`### ${count.toLocaleString('en')} ${kind} objects, ${mega(bytes)} MB, into ${place === 'folder' ? 'a folder' : 'another bucket'}`,
		markdown([
			['', '', 'wall time', '×', 'CPU time', 'peak memory'],
			['---', '---', '---:', '---:', '---:', '---:'],
			...rows,
		]),
		markdown([['aim', 'limit', 'measured', ''], ['---', '---:', '---:', '---'], ...aims]),
	].join('\n\n');
}

async function report(
	sections: readonly string[],
	{ rounds, mount, signal }: { rounds: number; mount: boolean; signal: AbortSignal },
): Promise<string> {
	return [
		`${reportDate('bucket')}: ${rounds} round${rounds === 1 ? '' : 's'}.`,
		`Machine: ${machineShape()}. S3: Ceph's gateway on the same machine; programs: ${await programVersions(['rclone', 'zstd', 'age', 'restic', 'Ceph'], signal)}.` +
			(mount ? '' : ' restic is left out: on this machine, it cannot back up an `rclone mount`.'),
		'× is the ratio to `rclone sync` in the same round, or to the bare listing where nothing changed; of several rounds, all figures are medians. CPU time and peak ' +
			'memory (the sum of the peaks of all processes) are without the server, which shares the same cores. Ours are whole commands: start of Node, lock, tags and digest of ' +
			'every object, index, journal, manifest.',
		...sections,
	].join('\n\n');
}
