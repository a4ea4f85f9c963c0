/**
 * npm run bench -- dump: a PostgreSQL database into a folder and into S3, by us and by what a user would pick instead, side
 * by side.
 *
 *   --size 1G       bytes of the plain dump (100M, 4G, …) of a shop; --size 0 leaves it out
 *   --larger 4G     also measures our memory with a database of that size; --larger 0 leaves it out
 *   --text 806M     also dumps rows of short text of that size, into the first destination; --text 0 leaves it out
 *   --runs 3        rounds; the figures are medians
 *   --to folder,s3  where to
 *   --only builtin,zstd   these contenders only: builtin, native, zstd, restic, gzip
 *   --folder DIR    on which disk the folder is made (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run, of each of the two, writes
 * its tables into bench/README.md.
 */
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compare, rowsDigest, type Runs } from './comparison.ts';
import { type Contender, createContenders } from './contenders.ts';
import { addTextDatabase, DATABASE, SERVER_MAJOR, startSampleDatabase, TEXT_DATABASE } from './database.ts';
import { type Destination, folderDestination, s3Destination } from './destinations.ts';
import { machineShape, programVersions } from './machine.ts';
import { output } from './measure.ts';
import { intoReadme, makeKeys, parseSize, reportHead, ROOT, runBenchmark, say, sayShares } from './program.ts';
import { comparisonTable, EXPLANATION, type Results, targetsTable } from './table.ts';

/** Those that are compared, and what carries their output to S3. */
const PROGRAMS = ['pg_dump', 'zstd', 'age', 'restic', 'gzip', 'openssl', 'rclone', 'Ceph'] as const;

const { values: options } = parseArgs({
	options: {
		size: { type: 'string', default: '1G' },
		larger: { type: 'string', default: '4G' },
		text: { type: 'string', default: '806M' },
		runs: { type: 'string', default: '3' },
		to: { type: 'string', default: 'folder,s3' },
		only: { type: 'string', default: 'builtin,native,zstd,restic,gzip' },
		folder: { type: 'string', default: os.tmpdir() },
	},
});

void runBenchmark(main);

async function main(folder: string, signal: AbortSignal): Promise<void> {
	const size = parseSize(options.size);
	const larger = parseSize(options.larger);
	const text = parseSize(options.text);
	const runs = Number(options.runs);
	const destinations: Destination[] = [];
	try {
		const keys = await makeKeys(folder, signal);
		for (const to of options.to.split(',')) {
			if (to === 'folder') destinations.push(await folderDestination(options.folder));
			else if (to === 's3') destinations.push(await s3Destination(signal));
			else throw new Error(`--to ${to} is not known: folder or s3`);
		}
		const how = { runs, folder, signal };
		if (size > 0) await shop(size, larger, createContenders(ROOT, DATABASE, keys), destinations, how);
		if (text > 0) await shortText(text, createContenders(ROOT, TEXT_DATABASE, keys), destinations[0]!, how);
	} finally {
		for (const destination of destinations) await destination.close();
	}
}

interface How {
	runs: number;
	folder: string;
	signal: AbortSignal;
}

/** The shop into each destination, and a larger one by us alone. */
async function shop(
	size: number,
	larger: number,
	all: readonly Contender[],
	destinations: readonly Destination[],
	how: How,
): Promise<void> {
	const contenders = chosen(all, options.only);
	const { bytes, runs } = await runAll(size, DATABASE, contenders, destinations, how);
	const ours = contenders.filter(({ name }) => name === 'builtin' || name === 'native');
	const withLarger =
		larger > 0 && ours.length > 0 ? await runAll(larger, DATABASE, ours, destinations, { ...how, runs: 1 }) : undefined;
	const results = destinations.map((destination, index): Results => {
		return { destination, bytes, runs: runs[index]!, larger: withLarger?.runs[index] };
	});
	const figures = await report(results, contenders, { bytes, ...how });
	process.stdout.write(`${figures}\n`);
	const isComplete =
		size >= 1e9 && larger >= 4 * size && how.runs >= 3 && contenders.length === all.length && results.length === 2;
	if (isComplete) await intoReadme('dump', figures);
	else say('not a complete run: these figures in bench/README.md stay as they are');
}

/** Rows of short text, which come so fast that everything after the server counts. */
async function shortText(size: number, all: readonly Contender[], destination: Destination, how: How): Promise<void> {
	const contenders = chosen(all, options.only);
	const { bytes, runs } = await runAll(size, TEXT_DATABASE, contenders, [destination], how);
	const figures = await report([{ destination, bytes, runs: runs[0]! }], contenders, { bytes, ...how });
	process.stdout.write(`${figures}\n`);
	if (size >= 800e6 && how.runs >= 3 && contenders.length === all.length) await intoReadme('dump, short text', figures);
	else say('not a complete run: these figures in bench/README.md stay as they are');
}

/** Makes a database of that size and lets the contenders dump it into each destination. */
async function runAll(
	size: number,
	name: typeof DATABASE | typeof TEXT_DATABASE,
	contenders: readonly Contender[],
	destinations: readonly Destination[],
	{ runs, folder, signal }: How,
): Promise<{ bytes: number; runs: Runs[] }> {
	say(`make a database of ${size / 1e6} MB in PostgreSQL ${SERVER_MAJOR}`);
	const isText = name === TEXT_DATABASE;
	const database = await startSampleDatabase(ROOT, isText ? 0 : size, signal, sayShares());
	try {
		if (isText) await addTextDatabase(database, size);
		const env = {
			PGHOST: database.host,
			PGPORT: String(database.port),
			PGUSER: database.user,
			PGPASSWORD: database.password,
			RESTIC_PASSWORD: randomBytes(16).toString('hex'),
			RESTIC_CACHE_DIR: path.join(folder, 'restic-cache'),
			BENCH_PASSPHRASE: randomBytes(16).toString('hex'),
		};
		say('read it once, so that all find it in the cache of the server');
		const rows = await rowsDigest(`pg_dump ${name}`, { env, signal });
		const bytes = Number(await output(`pg_dump ${name} | wc -c`, { env, signal }));
		say(`its dump has ${bytes} bytes`);
		const result: Runs[] = [];
		for (const destination of destinations) {
			result.push(await compare(contenders, destination, { env, signal, runs, rows, folder, say }));
		}
		return { bytes, runs: result };
	} finally {
		await database.stop();
	}
}

async function report(
	results: Results[],
	contenders: readonly Contender[],
	{ bytes, runs, signal }: { bytes: number; runs: number; signal: AbortSignal },
): Promise<string> {
	return [
		reportHead('dump', bytes, runs),
		`Machine: ${machineShape()}. Server: PostgreSQL ${SERVER_MAJOR} on the same machine, because Debian's pg_dump refuses newer ones; ` +
			`programs: ${await programVersions(PROGRAMS, signal)}. The piped contenders reach S3 through \`rclone rcat\`; restic and we upload ourselves.`,
		EXPLANATION,
		...results.map((result) => comparisonTable(result, contenders)),
		`### Aims\n\n${targetsTable(results)}`,
	].join('\n\n');
}

function chosen(contenders: readonly Contender[], only: string): Contender[] {
	const names = only.split(',');
	const unknown = names.find((name) => !contenders.some((contender) => contender.name === name));
	if (unknown !== undefined)
		throw new Error(`--only ${unknown} is not known: ${contenders.map(({ name }) => name).join(', ')}`);
	return contenders.filter(({ name }) => names.includes(name));
}
