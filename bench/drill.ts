/**
 * npm run bench -- drill: an encrypted backup, restored into the embedded database and compared there, beside what a user
 * would script instead: a throw-away server, filled by age, zstd and psql.
 *
 *   --sizes 200K,50M   bytes of the plain dumps
 *   --runs 3           rounds; the figures are medians
 *   --folder DIR       on which disk the backups are made (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run writes its tables into bench/README.md.
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, mega } from './comparison.ts';
import type { Secrets } from './contenders.ts';
import { DATABASE, SERVER_MAJOR, startSampleDatabase } from './database.ts';
import { type Destination, folderDestination } from './destinations.ts';
import { type Duel, fight, type Result, type Side } from './duels.ts';
import { duelTable } from './duel-table.ts';
import { machineShape, programVersions } from './machine.ts';
import { type CommandOptions, type Measurement, output } from './measure.ts';
import { intoReadme, makeKeys, parseSize, reportDate, ROOT, runBenchmark, say, sayShares } from './program.ts';
import { aimRow, markdown } from './table.ts';

const SIZES = '200K,50M';
/** What is to be reached is said of dumps up to this size. */
const SMALL_BYTES = 2_000_000;
const GROUP = `postgres/${DATABASE}`;
const OURS = `${process.execPath} --require ${ROOT}/bench/event-loop.cjs ${ROOT}/dist/bin/n8n-backup.js`;
/** Where Debian keeps the programs of a server. */
const SERVER_PROGRAMS = `/usr/lib/postgresql/${SERVER_MAJOR}/bin`;

const { values: options } = parseArgs({
	options: {
		sizes: { type: 'string', default: SIZES },
		runs: { type: 'string', default: '3' },
		folder: { type: 'string', default: os.tmpdir() },
	},
});

void runBenchmark(main);

async function main(folder: string, signal: AbortSignal): Promise<void> {
	const rounds = Number(options.runs);
	const keys = await makeKeys(folder, signal);
	const parts: string[] = [];
	for (const size of options.sizes.split(',').map(parseSize)) {
		parts.push(await drills(size, { keys, rounds, folder, signal }));
	}
	const text = [
		`${reportDate('drill')}, ${rounds} round${rounds === 1 ? '' : 's'}.`,
		`Machine: ${machineShape()}; programs: ${await programVersions(['psql', 'zstd', 'age'], signal)}.`,
		'× is the ratio to the other side in the same round; of several rounds, all figures are medians. CPU time and peak memory (the sum ' +
			'of the peaks of all processes) are with the databases, and of ours with Node and the command itself.',
		...parts,
	].join('\n\n');
	process.stdout.write(`${text}\n`);
	if (rounds >= 3 && options.sizes === SIZES) await intoReadme('drill', text);
	else say('not a complete run: bench/README.md stays as it is');
}

/** Makes a backup of a database of that size, and has it drilled. @returns Markdown */
async function drills(
	size: number,
	{ keys, rounds, folder, signal }: { keys: Secrets; rounds: number; folder: string; signal: AbortSignal },
): Promise<string> {
	say(`make a database of ${size / 1e6} MB in PostgreSQL ${SERVER_MAJOR}`);
	const server = await startSampleDatabase(ROOT, size, signal, sayShares());
	const storage = await folderDestination(options.folder);
	try {
		const { host, port, user, password } = server;
		const how = { env: { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password }, signal };
		const { recipient, identityFile } = keys;
		// By Debian's pg_dump, for its server to take it.
		const dump = await output(
			`${OURS} dump --json --storage '${storage.storage}' --group ${GROUP} --recipient ${recipient} --engine native` +
				` --database "postgres://$PGUSER@$PGHOST:$PGPORT/${DATABASE}?sslmode=disable"`,
			how,
		);
		const { bytes } = (JSON.parse(dump) as { parts: Array<{ original: { bytes: number } }> }).parts[0]!.original;
		const duels = await createDuels(storage, identityFile);
		// The databases to come are others.
		const without: CommandOptions = { env: {}, signal };
		const results: Result[] = [];
		for (const duel of duels) results.push(await fight(duel, { ...without, rounds, folder, say }));
		const title = `### A dump of ${(bytes / 1e6).toFixed(1)} MB`;
		return [title, duelTable(results), ...(bytes < SMALL_BYTES ? [aims(results)] : [])].join('\n\n');
	} finally {
		await storage.close();
		await server.stop();
	}
}

async function createDuels({ storage }: Destination, identityFile: string): Promise<Duel[]> {
	const folder = fileURLToPath(storage);
	const name = (await fs.readdir(folder, { recursive: true })).find((file) => file.endsWith('dump.sql.zst.age'));
	if (name === undefined) throw new Error('the backup has no dump');
	const open = `age -d -i ${identityFile} ${path.join(folder, name)} | zstd -dcq`;
	const verify = (depth: string): Side => ({
		title: `**ours**: verify *${depth}*`,
		command:
			`${OURS} verify ${GROUP} --json --storage '${storage}' --identity ${identityFile} --depth ${depth}` +
			(depth === 'restored' ? ' --scratch embedded' : ''),
	});
	return [
		{
			name: 'drill',
			ours: verify('restored'),
			theirs: { title: '`initdb`, `age -d \\| zstd -d \\| psql`, and the server away', command: throwAwayServer(open) },
		},
		{
			name: 'read',
			ours: verify('readable'),
			theirs: { title: '`age -d \\| zstd -d`', command: `${open} >/dev/null` },
		},
	];
}

/** Shell: a new server, reached by a socket only, that is filled by a dump and removed. A server refuses to run as root. */
function throwAwayServer(open: string): string {
	const as = process.getuid?.() === 0 ? 'runuser -u postgres -- ' : '';
	const psql = 'psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -h $T -U postgres -d postgres';
	return [
		'set -e',
		`T=$(${as}mktemp -d)`,
		`trap '${as}rm -rf $T' EXIT`,
		`${as}${SERVER_PROGRAMS}/initdb -D $T/data -A trust -N -U postgres >/dev/null`,
		`{ ${as}${SERVER_PROGRAMS}/postgres -D $T/data -k $T -c listen_addresses= -c fsync=off 2>/dev/null & }`,
		`until pg_isready -q -h $T; do sleep 0.02; done`,
		`${open} | ${psql}`,
		`${psql} -c 'SELECT count(*) FROM orders'`,
		`kill -INT $(head -1 $T/data/postmaster.pid)`,
		'wait',
	].join('\n');
}

/** What a drill may take above a process that runs already, which is what reading the backup takes. */
function aims([drill, read]: readonly Result[]): string {
	const above = (value: (run: Measurement) => number) =>
		median(drill!.ours.map((run, round) => value(run) - value(read!.ours[round]!)));
	const [cpu, memory] = [above((run) => run.cpu), above((run) => run.memory)];
	return markdown([
		['above *readable*', 'limit', 'measured', ''],
		['---', '---:', '---:', '---'],
		aimRow('CPU time of a small drill', cpu, 3, 'at most', ' s'),
		aimRow('peak memory', Number(mega(memory)), 350, 'at most', ' MB'),
	]);
}
