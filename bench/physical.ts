/**
 * npm run bench -- physical: base backups of a cluster by us, by `pg_basebackup | zstd | age` and by pgBackRest, side by side; restoring one; and
 * log: how fast it is stored, against how fast pgbench makes the server write it, and how fast it is verified.
 *
 *   --size 850M              bytes of a plain dump of the sample database; its cluster is twice as large
 *   --wal 1G                 bytes of log
 *   --runs 3                 rounds; the figures are medians
 *   --only folder,wal        these tasks only: folder, s3, pgbackrest, restore, wal
 *   --folder DIR             on which disk everything lies (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run writes its tables into bench/README.md.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startServer } from '../scripts/lib/postgres.mjs';
import { median, mega } from './comparison.ts';
import { DATABASE, SERVER_MAJOR, type SampleDatabase, startSampleDatabase } from './database.ts';
import { type Destination, folderDestination, s3Destination } from './destinations.ts';
import { type Duel, fight, ratioOf, type Result } from './duels.ts';
import { duelTable } from './duel-table.ts';
import { machineShape, programVersions } from './machine.ts';
import { type CommandOptions, measure, type Measurement, output } from './measure.ts';
import { intoReadme, makeKeys, parseSize, reportDate, ROOT, runBenchmark, say, sayShares } from './program.ts';
import { aimRow, markdown } from './table.ts';
import type * as Verifier from '../core/sources/postgres/physical/wal/verifier.ts';

const { LogVerifier } = createRequire(path.join(ROOT, 'package.json'))(
	`${ROOT}/dist/core/sources/postgres/physical/wal/verifier.js`,
) as typeof Verifier;

const { values: options } = parseArgs({
	options: {
		size: { type: 'string', default: '850M' },
		wal: { type: 'string', default: '1G' },
		runs: { type: 'string', default: '3' },
		only: { type: 'string', default: 'folder,s3,pgbackrest,restore,wal' },
		folder: { type: 'string', default: os.tmpdir() },
	},
});

const TASKS = ['folder', 's3', 'pgbackrest', 'restore', 'wal'] as const;
const OURS = `${process.execPath} --require ${ROOT}/bench/event-loop.cjs ${ROOT}/dist/bin/n8n-backup.js`;
const URL = `"postgres://$PGUSER@$PGHOST:$PGPORT/${DATABASE}?sslmode=disable"`;
const ARCHIVE = 'base.tar.zst.age';
const SEGMENT = 16 * 1024 * 1024;
/** As pgbench counts them, about 15 MB each; its tables are in the cluster that is backed up, too. */
const PGBENCH_SCALE = 20;

void runBenchmark(main);

async function main(temporary: string, signal: AbortSignal): Promise<void> {
	const tasks = options.only.split(',');
	const unknown = tasks.find((task) => !TASKS.some((known) => known === task));
	if (unknown !== undefined) throw new Error(`--only ${unknown} is not known: ${TASKS.join(', ')}`);
	const rounds = Number(options.runs);
	const [size, logSize] = [parseSize(options.size), parseSize(options.wal)];
	say(`make a database of ${size / 1e6} MB in PostgreSQL ${SERVER_MAJOR}`);
	const server = await startSampleDatabase(ROOT, size, signal, sayShares());
	const folder = fs.mkdtempSync(path.join(options.folder, 'bench-cluster-'));
	// Whoever runs the servers must get to what was restored.
	fs.chmodSync(folder, 0o755);
	try {
		const { host, port, user, password } = server;
		const env = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password };
		const how = { env, signal };
		await output(`pgbench -q -i -s ${PGBENCH_SCALE} ${DATABASE} 2>&1 && psql -q -c CHECKPOINT ${DATABASE}`, how);
		const bytes = Number(
			await output(`psql -qAt -c 'SELECT sum(pg_database_size(oid)) FROM pg_database' ${DATABASE}`, how),
		);
		const bench: Bench = { server, folder, temporary, rounds, how, keys: await makeKeys(temporary, signal) };
		const results: Result[] = [];
		for (const task of TASKS.filter((each) => each !== 'wal' && tasks.includes(each))) {
			results.push(await RUNS[task as keyof typeof RUNS](bench));
		}
		const log = tasks.includes('wal') ? await measureLog(bench, logSize) : null;
		const text = await report(results, log, { bytes, rounds, signal });
		process.stdout.write(`${text}\n`);
		const isComplete = bytes >= 1.5e9 && logSize >= 1e9 && rounds >= 3 && TASKS.every((task) => tasks.includes(task));
		if (isComplete) await intoReadme('physical', text);
		else say('not a complete run: bench/README.md stays as it is');
	} finally {
		fs.rmSync(folder, { recursive: true, force: true });
		await server.stop();
	}
}

interface Bench {
	server: SampleDatabase;
	/** Where backups lie, and what is restored of them. */
	folder: string;
	/** For files of the measurement. */
	temporary: string;
	rounds: number;
	how: CommandOptions;
	keys: { recipient: string; identityFile: string };
}

function baseBackup(storage: string, { keys }: Bench): string {
	return `${OURS} base --json --storage '${storage}' --database ${URL} --group cluster/bench --recipient ${keys.recipient}`;
}

/** With the log that the backup needs, in one archive, as ours has it. */
function pipeline(destination: Destination, { keys }: Bench): string {
	const copy = `pg_basebackup -D - -Ft -X fetch -c fast`;
	return `${copy} | zstd -3 -T0 -cq | age -r ${keys.recipient} ${destination.sink(ARCHIVE)}`;
}

const PIPELINE = '`pg_basebackup -Ft \\| zstd -3 -T0 \\| age`';

async function intoDestination(name: string, destination: Destination, bench: Bench): Promise<Result> {
	const { how, rounds, temporary } = bench;
	const duel: Duel = {
		name,
		ours: { title: `**ours**: base backup, ${name}`, command: baseBackup(destination.storage, bench) },
		theirs: { title: `${PIPELINE}, ${name}`, command: pipeline(destination, bench) },
		prepare: async () => await destination.clear(),
	};
	const env = { ...how.env, ...destination.env };
	return await fight(duel, { ...how, env, rounds, folder: temporary, say });
}

const RUNS = {
	async folder(bench: Bench): Promise<Result> {
		const destination = await folderDestination(bench.folder);
		return await intoDestination('into a folder', destination, bench).finally(async () => await destination.close());
	},

	async s3(bench: Bench): Promise<Result> {
		const destination = await s3Destination(bench.how.signal);
		return await intoDestination('into S3', destination, bench).finally(async () => await destination.close());
	},

	/** One process each; pgBackRest reads the files of the server itself. */
	async pgbackrest(bench: Bench): Promise<Result> {
		const { server, how, rounds, temporary } = bench;
		const ours = await folderDestination(bench.folder);
		const theirs = path.join(bench.folder, 'pgbackrest');
		const where = [`--repo1-path=${theirs}/repo`, `--pg1-path=${server.dataDir}`, `--pg1-port=${server.port}`];
		const logs = [`--lock-path=${theirs}/lock`, '--log-level-file=off', '--log-level-console=warn'];
		const program = ['pgbackrest', '--stanza=bench', ...where, `--pg1-user=${server.user}`, ...logs].join(' ');
		const backup =
			'--type=full --start-fast --no-archive-check --compress-type=zst --compress-level=3 --process-max=1 backup';
		const env = {
			...how.env,
			PGBACKREST_REPO1_CIPHER_TYPE: 'aes-256-cbc',
			PGBACKREST_REPO1_CIPHER_PASS: 'bench',
		};
		const duel: Duel = {
			name: 'pgbackrest',
			ours: { title: '**ours**: base backup, into a folder', command: baseBackup(ours.storage, bench) },
			theirs: { title: 'pgBackRest, 1 process, zst, aes-256-cbc', command: `${program} ${backup}` },
			async prepare() {
				await ours.clear();
				fs.rmSync(theirs, { recursive: true, force: true });
				fs.mkdirSync(theirs);
				await output(`${program} --no-online stanza-create`, { ...how, env });
			},
		};
		return await fight(duel, { ...how, env, rounds, folder: temporary, say }).finally(async () => await ours.close());
	},

	async restore(bench: Bench): Promise<Result> {
		const { folder, how, rounds, temporary, keys, server } = bench;
		const [ours, theirs] = [await folderDestination(folder), await folderDestination(folder)];
		const to = path.join(folder, 'restored');
		try {
			await output(baseBackup(ours.storage, bench), how);
			await output(pipeline(theirs, bench), how);
			const restore = `${OURS} restore cluster/bench --base-only --storage '${ours.storage}' --identity ${keys.identityFile}`;
			const open = `${theirs.source(ARCHIVE)} | age -d -i ${keys.identityFile} | zstd -dcq`;
			const duel: Duel = {
				name: 'restore',
				ours: { title: '**ours**: restore, each file compared', command: `${restore} --to ${to}` },
				theirs: {
					title: '`age -d \\| zstd -d \\| tar -x`',
					command: `mkdir -m 700 ${to} && ${open} | tar -C ${to} -xf -`,
				},
				prepare: async () => await fs.promises.rm(to, { recursive: true, force: true }),
				check: async () => await assertStarts(to, server, how),
			};
			return await fight(duel, { ...how, rounds, folder: temporary, say });
		} finally {
			await ours.close();
			await theirs.close();
		}
	},
};

/** @throws Error where no server starts in what was restored, or rows are missing */
async function assertStarts(
	dataDir: string,
	{ password }: SampleDatabase,
	{ env, signal }: CommandOptions,
): Promise<void> {
	const restored = await startServer({
		...{ packageDir: `${ROOT}/node_modules/pg${SERVER_MAJOR}`, dataDir, restored: true, password },
	});
	try {
		const count = `psql -qAt -c 'SELECT count(*) FROM events' ${DATABASE}`;
		const [is, was] = await Promise.all([
			output(count, { env: { ...env, PGPORT: String(restored.port) }, signal }),
			output(count, { env, signal }),
		]);
		if (is !== was) throw new Error(`${is} of ${was} rows were restored`);
	} finally {
		await restored.stop();
	}
}

interface Log {
	bytes: number;
	/** Seconds that pgbench took to have it written. */
	written: number;
	stored: Measurement;
	/** Of the verifier alone, bytes per second. */
	verified: number;
}

/** Log as pgbench makes it, with whole pages behind each checkpoint, as servers have it by default. */
async function measureLog(bench: Bench, wanted: number): Promise<Log> {
	const { folder, temporary, how, keys, server, rounds } = bench;
	const ask = async (query: string) => await output(`psql -qAt -c "${query}" ${DATABASE}`, how);
	await ask('ALTER SYSTEM SET full_page_writes = on');
	await ask('SELECT pg_reload_conf()');
	const destination = await folderDestination(folder);
	const collect = `${OURS} wal --json --storage '${destination.storage}' --database ${URL} --group wal/bench --recipient ${keys.recipient}`;
	const logs: Log[] = [];
	try {
		await output(collect, how);
		for (let round = 0; round < rounds; round++) {
			const from = await ask('SELECT pg_current_wal_lsn()');
			const written = () => ask(`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '${from}')`);
			let seconds = 0;
			while (Number(await written()) < wanted) {
				seconds += (await measure(`pgbench -n -c 4 -j 2 -T 5 ${DATABASE} > /dev/null 2>&1`, temporary, how)).wall;
				await ask('CHECKPOINT');
			}
			const bytes = Number(await written());
			await output('sync', how);
			const stored = await measure(collect, temporary, how);
			const verified = await verifySpeed(path.join(server.dataDir, 'pg_wal'), bench);
			logs.push({ bytes, written: seconds, stored, verified });
			say(
				`log, round ${round + 1}: ${mega(bytes)} MB written in ${seconds.toFixed(0)} s, stored in ${stored.wall.toFixed(1)} s, ` +
					`${mega(stored.memory)} MB memory, verified at ${mega(verified)} MB/s`,
			);
		}
	} finally {
		await destination.close();
	}
	return logs.toSorted((a, b) => ratioOfLog(a) - ratioOfLog(b))[Math.floor(logs.length / 2)]!;
}

function ratioOfLog({ written, stored }: Log): number {
	return written / stored.wall;
}

/** The verifier over files of the server, one after the other, each read before. @returns bytes per second */
async function verifySpeed(folder: string, { how }: Bench): Promise<number> {
	const current = await output(`psql -qAt -c 'SELECT pg_walfile_name(pg_current_wal_lsn())' ${DATABASE}`, how);
	const files = fs.readdirSync(folder).filter((name) => /^[0-9A-F]{24}$/.test(name) && name < current);
	let [bytes, milliseconds] = [0, 0];
	for (const name of files.toSorted().slice(-30)) {
		const log = fs.readFileSync(path.join(folder, name));
		const at = BigInt(`0x${name.slice(8, 16)}`) * 2n ** 32n + BigInt(`0x${name.slice(16)}`) * BigInt(SEGMENT);
		const began = performance.now();
		const verifier = new LogVerifier({ segmentBytes: SEGMENT, timeline: 1 });
		verifier.add(log, at);
		verifier.finish();
		milliseconds += performance.now() - began;
		bytes += log.length;
	}
	return (1000 * bytes) / milliseconds;
}

async function report(
	results: readonly Result[],
	log: Log | null,
	{ bytes, rounds, signal }: { bytes: number; rounds: number; signal: AbortSignal },
): Promise<string> {
	return [
		`${reportDate('physical')}: a cluster of ${(bytes / 1e9).toFixed(2)} GB, ${rounds} round${rounds === 1 ? '' : 's'}.`,
		`Machine: ${machineShape()}. Server: PostgreSQL ${SERVER_MAJOR} on the same machine; ` +
			`programs: ${await programVersions(['pg_basebackup', 'pgbackrest', 'pgbench', 'zstd', 'age', 'rclone'], signal)}.`,
		'× is the ratio to the programs in the same round; of several rounds, all figures are medians. CPU time and peak memory ' +
			'(the sum of the peaks of all processes) are without the server, which shares the same cores; pgBackRest reads its files itself.',
		duelTable(results),
		...(log === null ? [] : [logText(log)]),
		`### Aims of base backups and log\n\n${aims(results, log)}`,
	].join('\n\n');
}

function logText({ bytes, written, stored, verified }: Log): string {
	return (
		`Log: pgbench had ${mega(bytes)} MB written in ${written.toFixed(0)} s; they were stored in ${stored.wall.toFixed(1)} s ` +
		`(${stored.cpu.toFixed(1)} s CPU, ${mega(stored.memory)} MB memory). The verifier alone reads ${mega(verified)} MB/s.`
	);
}

function aims(results: readonly Result[], log: Log | null): string {
	const rows = results.flatMap((result) => {
		const slower = ratioOf(result, ({ wall }) => wall);
		const memory = aimRow(
			`${result.duel.name}: peak memory`,
			median(result.ours.map((run) => run.memory)) / 1e6,
			300,
			'at most',
			' MB',
		);
		if (result.duel.name === 'pgbackrest') return [aimRow('faster than pgBackRest', 1 / slower, 1.5, 'at least', '×')];
		return [aimRow(`${result.duel.name}: wall time of the pipeline`, slower, 1.2, 'at most', '×'), memory];
	});
	const ofLog = log && [
		aimRow('log: stored faster than pgbench has it written', ratioOfLog(log), 5, 'at least', '×'),
		aimRow('log: the verifier alone', log.verified / 1e6, 400, 'at least', ' MB/s'),
		aimRow('log: peak memory', log.stored.memory / 1e6, 300, 'at most', ' MB'),
	];
	return markdown([['aim', 'limit', 'measured', ''], ['---', '---:', '---:', '---'], ...rows, ...(ofLog ?? [])]);
}
