/**
 * npm run bench -- restore: one encrypted backup, restored and verified by us and by age, zstd, psql and sha256sum, side by
 * side.
 *
 *   --size 1G      bytes of the plain dump (50M, 1G, …)
 *   --runs 3       rounds; the figures are medians
 *   --only stored  these tasks only: restore, stored, readable
 *   --folder DIR   on which disk the backup is made (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run writes its tables into bench/README.md.
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mega, rowsDigest } from './comparison.ts';
import { DATABASE, SERVER_MAJOR, startSampleDatabase } from './database.ts';
import { type Destination, folderDestination } from './destinations.ts';
import { type Duel, fight, type Result } from './duels.ts';
import { duelAims, duelTable } from './duel-table.ts';
import { machineShape, programVersions } from './machine.ts';
import { type CommandOptions, output } from './measure.ts';
import { intoReadme, makeKeys, parseSize, reportHead, ROOT, runBenchmark, say, sayShares } from './program.ts';

const COPY = 'shop_copy';
const GROUP = `postgres/${DATABASE}`;
const TASKS = ['restore', 'stored', 'readable'] as const;
const OURS = `${process.execPath} --require ${ROOT}/bench/event-loop.cjs ${ROOT}/dist/bin/n8n-backup.js`;

const { values: options } = parseArgs({
	options: {
		size: { type: 'string', default: '1G' },
		runs: { type: 'string', default: '3' },
		only: { type: 'string', default: TASKS.join(',') },
		folder: { type: 'string', default: os.tmpdir() },
	},
});

void runBenchmark(main);

async function main(folder: string, signal: AbortSignal): Promise<void> {
	const size = parseSize(options.size);
	const rounds = Number(options.runs);
	const tasks = options.only.split(',');
	const unknown = tasks.find((task) => !TASKS.some((known) => known === task));
	if (unknown !== undefined) throw new Error(`--only ${unknown} is not known: ${TASKS.join(', ')}`);
	say(`make a database of ${size / 1e6} MB in PostgreSQL ${SERVER_MAJOR}`);
	const server = await startSampleDatabase(ROOT, size, signal, sayShares());
	const storage = await folderDestination(options.folder);
	try {
		const { host, port, user, password } = server;
		const env = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password };
		const how = { env, signal };
		const { recipient, identityFile } = await makeKeys(folder, signal);
		say('back it up, for all to read');
		const dump = await output(
			`${OURS} dump --json --storage '${storage.storage}' --database "${url(DATABASE)}" --group ${GROUP}` +
				` --recipient ${recipient} --engine native`,
			how,
		);
		const bytes = (JSON.parse(dump) as { parts: Array<{ original: { bytes: number } }> }).parts[0]!.original.bytes;
		const results: Result[] = [];
		for (const duel of await createDuels(storage, identityFile, how)) {
			if (tasks.includes(duel.name)) results.push(await fight(duel, { ...how, rounds, folder, say }));
		}
		const text = await report(results, { bytes, stored: await storage.size(), rounds, signal });
		process.stdout.write(`${text}\n`);
		if (size >= 1e9 && rounds >= 3 && results.length === TASKS.length) await intoReadme('restore', text);
		else say('not a complete run: bench/README.md stays as it is');
	} finally {
		await storage.close();
		await server.stop();
	}
}

/** The programs find the server and its password in their environment: PGHOST, PGPORT, PGUSER, PGPASSWORD. */
async function createDuels(storage: Destination, identityFile: string, how: CommandOptions): Promise<Duel[]> {
	const object = await find(storage, 'dump.sql.zst.age');
	const open = `age -d -i ${identityFile} ${object} | zstd -dcq`;
	const verify = (depth: string, keys = '') =>
		`${OURS} verify ${GROUP} --json --storage '${storage.storage}' --depth ${depth}${keys}`;
	// Of n8n, whose process runs already, nobody waits for the start.
	const seconds = (stdout: string) => secondsOf(JSON.parse(stdout));
	const original = await rowsDigest(`pg_dump ${DATABASE}`, how, 'any');
	return [
		{
			name: 'restore',
			ours: {
				title: '**ours**: `n8n-backup restore`',
				command: `${OURS} restore ${GROUP} --json --storage '${storage.storage}' --to "${url(COPY)}" --identity ${identityFile}`,
			},
			theirs: {
				title: '`age -d \\| zstd -d \\| psql`',
				command: `createdb ${COPY} && ${open} | psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -d ${COPY}`,
			},
			prepare: () => output(`dropdb --if-exists --force ${COPY} && psql -X -q -d postgres -c CHECKPOINT`, how),
			async check() {
				if ((await rowsDigest(`pg_dump ${COPY}`, how, 'any')) !== original)
					throw new Error('not every row was restored');
			},
		},
		{
			name: 'stored',
			ours: { title: '**ours**: verify *stored*', command: verify('stored'), seconds },
			theirs: { title: '`sha256sum`', command: `sha256sum ${object}` },
		},
		{
			name: 'readable',
			ours: {
				title: '**ours**: verify *readable*',
				command: verify('readable', ` --identity ${identityFile}`),
				seconds,
			},
			theirs: { title: '`age -d \\| zstd -d > /dev/null`', command: `${open} > /dev/null` },
		},
	];
}

/** As the shell completes it. */
function url(database: string): string {
	return `postgres://$PGUSER@$PGHOST:$PGPORT/${database}?sslmode=disable`;
}

/** The one file of that name. */
async function find({ storage }: Destination, name: string): Promise<string> {
	const folder = fileURLToPath(storage);
	const found = (await fs.readdir(folder, { recursive: true })).find((file) => path.basename(file) === name);
	if (found === undefined) throw new Error(`the backup has no ${name}`);
	return path.join(folder, found);
}

function secondsOf(answer: unknown): number {
	const result = (Array.isArray(answer) ? answer[0] : answer) as { outcome: string; seconds: number };
	if (result.outcome !== 'ok') throw new Error(`a verification ended with ${result.outcome}`);
	return result.seconds;
}

async function report(
	results: readonly Result[],
	{ bytes, stored, rounds, signal }: { bytes: number; stored: number; rounds: number; signal: AbortSignal },
): Promise<string> {
	return [
		`${reportHead('restore', bytes, rounds)} Stored, it has ${mega(stored)} MB.`,
		`Machine: ${machineShape()}. Server: PostgreSQL ${SERVER_MAJOR} on the same machine; ` +
			`programs: ${await programVersions(['psql', 'zstd', 'age', 'sha256sum'], signal)}.`,
		'× is the ratio to the programs in the same round; of several rounds, all figures are medians. CPU time and peak memory ' +
			'(the sum of the peaks of all processes) are without the server, which shares the same cores.',
		duelTable(results),
		`### Aims of restore and verify\n\n${duelAims(results)}`,
	].join('\n\n');
}
