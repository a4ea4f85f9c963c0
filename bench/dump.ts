/**
 * npm run bench -- dump: a PostgreSQL database into a folder and into S3, by us and by what a user would pick instead, side
 * by side.
 *
 *   --size 1G       bytes of the plain dump (100M, 4G, …)
 *   --larger 4G     also measures our memory with a database of that size; --larger 0 leaves it out
 *   --runs 3        rounds; the figures are medians
 *   --to folder,s3  where to
 *   --only builtin,zstd   these contenders only: builtin, native, zstd, restic, gzip
 *   --folder DIR    on which disk the folder is made (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run writes its tables into bench/README.md.
 */
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compare, rowsDigest, type Runs } from './comparison.ts';
import { type Contender, createContenders } from './contenders.ts';
import { DATABASE, SERVER_MAJOR, startSampleDatabase } from './database.ts';
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
	const runs = Number(options.runs);
	const destinations: Destination[] = [];
	try {
		const all = createContenders(ROOT, DATABASE, await makeKeys(folder, signal));
		const contenders = chosen(all, options.only);
		for (const to of options.to.split(',')) {
			if (to === 'folder') destinations.push(await folderDestination(options.folder));
			else if (to === 's3') destinations.push(await s3Destination(signal));
			else throw new Error(`--to ${to} is not known: folder or s3`);
		}
		const compared = await runAll(size, contenders, destinations, { runs, folder, signal });
		const ours = contenders.filter(({ name }) => name === 'builtin' || name === 'native');
		const withLarger =
			larger > 0 && ours.length > 0 ? await runAll(larger, ours, destinations, { runs: 1, folder, signal }) : undefined;
		const results = destinations.map((destination, index): Results => {
			return { destination, runs: compared.runs[index]!, larger: withLarger?.runs[index] };
		});
		const text = await report(results, contenders, { bytes: compared.bytes, runs, signal });
		process.stdout.write(`${text}\n`);
		const isComplete =
			size >= 1e9 && larger >= 4 * size && runs >= 3 && contenders.length === all.length && results.length === 2;
		if (isComplete) await intoReadme('dump', text);
		else say('not a complete run: bench/README.md stays as it is');
	} finally {
		for (const destination of destinations) await destination.close();
	}
}

/** Makes a database of that size and lets the contenders dump it into each destination. */
async function runAll(
	size: number,
	contenders: readonly Contender[],
	destinations: readonly Destination[],
	{ runs, folder, signal }: { runs: number; folder: string; signal: AbortSignal },
): Promise<{ bytes: number; runs: Runs[] }> {
	say(`make a database of ${size / 1e6} MB in PostgreSQL ${SERVER_MAJOR}`);
	const database = await startSampleDatabase(ROOT, size, signal, sayShares());
	try {
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
		const rows = await rowsDigest(`pg_dump ${DATABASE}`, { env, signal });
		const bytes = Number(await output(`pg_dump ${DATABASE} | wc -c`, { env, signal }));
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
		...results.map((result) => comparisonTable(result, contenders, bytes)),
		`### Aims\n\n${targetsTable(results)}`,
	].join('\n\n');
}

function chosen(contenders: Contender[], only: string): Contender[] {
	const names = only.split(',');
	const unknown = names.find((name) => !contenders.some((contender) => contender.name === name));
	if (unknown !== undefined)
		throw new Error(`--only ${unknown} is not known: ${contenders.map(({ name }) => name).join(', ')}`);
	return contenders.filter(({ name }) => names.includes(name));
}
