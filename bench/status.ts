/**
 * npm run bench -- status: the health and the page of very many backups, against the bare listing of the same objects.
 *
 *   --backups 100000  how many, in fifty groups
 *   --runs 3          rounds; the figures are medians
 *   --to s3           into one destination only: folder, s3
 *   --folder DIR      on which disk (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run writes its tables into bench/README.md.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { median, mega } from './comparison.ts';
import { type Destination, folderDestination, s3Destination } from './destinations.ts';
import { machineShape } from './machine.ts';
import { measure, type Measurement, output } from './measure.ts';
import { intoReadme, reportDate, ROOT, runBenchmark, say } from './program.ts';
import { aimRow, markdown } from './table.ts';

const DESTINATIONS = ['folder', 's3'] as const;
const PROBE = `${process.execPath} ${ROOT}/bench/status-probe.cjs`;
const MAX_PAGE_KB = 300;

const { values: options } = parseArgs({
	options: {
		backups: { type: 'string', default: '100000' },
		runs: { type: 'string', default: '3' },
		to: { type: 'string', default: DESTINATIONS.join(',') },
		folder: { type: 'string', default: os.tmpdir() },
	},
});

/** What one destination showed: the medians of all rounds. */
interface Figures {
	title: string;
	objects: number;
	backups: number;
	runs: number;
	bareSeconds: number;
	healthSeconds: number;
	/** Of the ratios within each round, the one in the middle. */
	ratio: number;
	pageSeconds: number;
	pageBytes: number;
	memory: number;
}

void runBenchmark(main);

async function main(folder: string, signal: AbortSignal): Promise<void> {
	const backups = Number(options.backups);
	const rounds = Number(options.runs);
	const names = options.to.split(',');
	const unknown = names.find((name) => !DESTINATIONS.some((known) => known === name));
	if (unknown !== undefined) throw new Error(`--to ${unknown} is not known: ${DESTINATIONS.join(', ')}`);
	const figures: Figures[] = [];
	for (const name of names) {
		const destination = name === 's3' ? await s3Destination(signal) : await folderDestination(options.folder);
		try {
			figures.push(await look(destination, { backups, rounds, folder, signal }));
		} finally {
			await destination.close();
		}
	}
	const text = report(figures, rounds);
	process.stdout.write(`${text}\n`);
	if (backups >= 100_000 && rounds >= 3 && names.length === DESTINATIONS.length) await intoReadme('status', text);
	else say('not a complete run: bench/README.md stays as it is');
}

async function look(
	{ title, storage, env }: Destination,
	{ backups, rounds, folder, signal }: { backups: number; rounds: number; folder: string; signal: AbortSignal },
): Promise<Figures> {
	const how = { env, signal };
	say(`${title}: make ${backups} backups`);
	await output(`${PROBE} fill '${storage}' ${backups}`, how);
	const runs: Array<{ bare: Measurement; status: Measurement }> = [];
	for (let round = 0; round < rounds; round++) {
		const bare = await measure(`${PROBE} bare '${storage}'`, folder, how);
		const status = await measure(`${PROBE} status '${storage}'`, folder, how);
		const { groups, restorable, seconds, pageSeconds, pageBytes } = read(status);
		if (restorable !== groups)
			throw new Error(`${restorable} of ${groups} groups can be restored, and all were made so`);
		runs.push({ bare, status });
		say(
			`round ${round + 1}: bare ${read(bare).seconds.toFixed(2)} s, health ${seconds.toFixed(2)} s, ` +
				`pages ${pageSeconds.toFixed(3)} s, ${(pageBytes / 1000).toFixed(0)} kB, ${mega(status.memory)} MB`,
		);
	}
	const [first] = runs;
	return {
		title,
		objects: read(first!.bare).objects,
		backups: read(first!.status).backups,
		runs: read(first!.status).runs,
		bareSeconds: median(runs.map(({ bare }) => read(bare).seconds)),
		healthSeconds: median(runs.map(({ status }) => read(status).seconds)),
		ratio: median(runs.map(({ bare, status }) => read(status).seconds / read(bare).seconds)),
		pageSeconds: median(runs.map(({ status }) => read(status).pageSeconds)),
		pageBytes: median(runs.map(({ status }) => read(status).pageBytes)),
		memory: median(runs.map(({ status }) => status.memory)),
	};
}

type Facts = 'backups' | 'groups' | 'objects' | 'pageBytes' | 'pageSeconds' | 'restorable' | 'runs' | 'seconds';

/** What the probe says of itself. */
function read({ stdout }: Measurement): Record<Facts, number> {
	return JSON.parse(stdout) as ReturnType<typeof read>;
}

function report(figures: readonly Figures[], rounds: number): string {
	const rows = figures.map((each) => [
		`${each.title}: ${each.backups} backups, ${each.objects} objects, ${each.runs} runs of the journal read`,
		`${each.bareSeconds.toFixed(2)} s`,
		`${each.healthSeconds.toFixed(2)} s`,
		each.ratio.toFixed(2),
		`${each.pageSeconds.toFixed(3)} s`,
		`${(each.pageBytes / 1000).toFixed(0)} kB`,
		`${mega(each.memory)} MB`,
	]);
	const aims = figures.flatMap(({ title, ratio, pageSeconds, pageBytes, memory }) => [
		aimRow(`${title}: health, of the bare listing`, ratio, 2, 'at most', '×'),
		aimRow(`${title}: page, beyond the health`, pageSeconds, 0.3, 'at most', ' s'),
		aimRow(`${title}: page`, pageBytes / 1000, MAX_PAGE_KB, 'at most', ' kB'),
		aimRow(`${title}: peak memory`, memory / 1e6, 300, 'at most', ' MB'),
	]);
	return [
		`${reportDate('status')}: ${rounds} rounds; all figures are medians.`,
		`Machine: ${machineShape()}.`,
		markdown([
			['', 'bare listing', 'health', '×', 'two pages', 'the larger one', 'peak memory'],
			['---', '---:', '---:', '---:', '---:', '---:', '---:'],
			...rows,
		]),
		`### Aims of the status\n\n${markdown([['aim', 'limit', 'measured', ''], ['---', '---:', '---:', '---'], ...aims])}`,
	].join('\n\n');
}
