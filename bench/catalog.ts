/**
 * npm run bench -- catalog: what retention needs to know of very many backups, against the bare listing of the same objects.
 *
 *   --backups 100000  how many
 *   --runs 3          rounds; the figures are medians
 *   --to folder       into one destination only: folder, s3
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
const PROBE = `${process.execPath} ${ROOT}/bench/catalog-probe.cjs`;

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
	kept: number;
	bareSeconds: number;
	surveySeconds: number;
	/** Of the ratios within each round, the one in the middle. */
	ratio: number;
	planSeconds: number;
	programSeconds: number;
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
			figures.push(await survey(destination, { backups, rounds, folder, signal }));
		} finally {
			await destination.close();
		}
	}
	const text = report(figures, rounds);
	process.stdout.write(`${text}\n`);
	if (backups >= 100_000 && rounds >= 3 && names.length === DESTINATIONS.length) await intoReadme('catalog', text);
	else say('not a complete run: bench/README.md stays as it is');
}

async function survey(
	{ title, storage, env, list }: Destination,
	{ backups, rounds, folder, signal }: { backups: number; rounds: number; folder: string; signal: AbortSignal },
): Promise<Figures> {
	const how = { env, signal };
	say(`${title}: make ${backups} backups`);
	await output(`${PROBE} fill '${storage}' ${backups}`, how);
	const runs: Array<{ bare: Measurement; plan: Measurement; program: Measurement }> = [];
	for (let round = 0; round < rounds; round++) {
		const bare = await measure(`${PROBE} bare '${storage}'`, folder, how);
		const plan = await measure(`${PROBE} plan '${storage}'`, folder, how);
		const program = await measure(`${list} > /dev/null`, folder, how);
		runs.push({ bare, plan, program });
		say(
			`round ${round + 1}: bare ${read(bare).seconds.toFixed(2)} s, with all that is known of them ${read(plan).seconds.toFixed(2)} s, ` +
				`plan ${read(plan).planSeconds.toFixed(2)} s, ${mega(plan.memory)} MB; the program ${program.wall.toFixed(2)} s`,
		);
	}
	const [first] = runs;
	return {
		title,
		objects: read(first!.bare).objects,
		backups: read(first!.plan).backups,
		kept: read(first!.plan).kept,
		bareSeconds: median(runs.map(({ bare }) => read(bare).seconds)),
		surveySeconds: median(runs.map(({ plan }) => read(plan).seconds)),
		ratio: median(runs.map(({ bare, plan }) => read(plan).seconds / read(bare).seconds)),
		planSeconds: median(runs.map(({ plan }) => read(plan).planSeconds)),
		programSeconds: median(runs.map(({ program }) => program.wall)),
		memory: median(runs.map(({ plan }) => plan.memory)),
	};
}

/** What the probe says of itself. */
function read({ stdout }: Measurement): Record<'seconds' | 'planSeconds' | 'objects' | 'backups' | 'kept', number> {
	return JSON.parse(stdout) as ReturnType<typeof read>;
}

function report(figures: readonly Figures[], rounds: number): string {
	const rows = figures.map((each) => [
		`${each.title}: ${each.backups} backups, ${each.objects} objects`,
		`${each.bareSeconds.toFixed(2)} s`,
		`${each.surveySeconds.toFixed(2)} s`,
		each.ratio.toFixed(2),
		`${each.planSeconds.toFixed(2)} s`,
		`${mega(each.memory)} MB`,
		`${each.programSeconds.toFixed(2)} s`,
	]);
	const aims = figures.flatMap(({ title, ratio, planSeconds, memory }) => [
		aimRow(`${title}: listing, of the bare one`, ratio, 2, 'at most', '×'),
		aimRow(`${title}: plan`, planSeconds, 1, 'at most', ' s'),
		aimRow(`${title}: peak memory`, memory / 1e6, 300, 'at most', ' MB'),
	]);
	return [
		`${reportDate('catalog')}: ${rounds} rounds; all figures are medians.`,
		`Machine: ${machineShape()}.`,
		markdown([
			['', 'bare listing', 'survey', '×', 'plan (*Critical*)', 'peak memory', '`find` or `rclone lsf`'],
			['---', '---:', '---:', '---:', '---:', '---:', '---:'],
			...rows,
		]),
		`### Aims of the catalog\n\n${markdown([['aim', 'limit', 'measured', ''], ['---', '---:', '---:', '---'], ...aims])}`,
	].join('\n\n');
}
