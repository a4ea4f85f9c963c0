/** One row of 100 MB: it goes through the replay in pieces, whatever the size of the row. */
import { execFile } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { rowsOf } from '../../../support/by-hand';
import { type PostgresServer, sharedPostgres } from '../../../support/postgres';
import { restore } from '../../../support/psql';

const execute = promisify(execFile);
/** Far less than the row, far more than garbage that nobody has collected yet. */
const MAX_GROWTH = 48 * 1024 * 1024;

describe('a row of 100 MB', () => {
	let server: PostgresServer;
	let folder: string;
	beforeAll(async () => {
		server = await sharedPostgres(18);
		folder = mkdtempSync(join(tmpdir(), 'huge-row-'));
	}, 120_000);
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	async function dump(target: DatabaseTarget, name: string): Promise<string> {
		const file = join(folder, name);
		const request = { target, format: 'plain', filter: {}, lockTimeoutMs: 10_000 } as const;
		const { body } = await builtinEngine().start(request, { signal: new AbortController().signal });
		await pipeline(body, createWriteStream(file));
		return file;
	}

	/** In a process of its own, whose memory tells of nothing else. */
	async function replayed(file: string, target: DatabaseTarget): Promise<{ rows: number; peakBytes: number }> {
		const hook = join(__dirname, '../../../support/typescript.cjs');
		const program = join(__dirname, '../../../support/replay-file.ts');
		const { stdout } = await execute(process.execPath, ['--require', hook, program, file], {
			env: { PATH: process.env.PATH, REPLAY_TARGET: JSON.stringify(target) },
		});
		return JSON.parse(stdout) as { rows: number; peakBytes: number };
	}

	it('is restored as psql does it, in about as much memory as a small database', async () => {
		const small = await dump(await server.createDatabase(undefined, { load: 'large-objects' }), 'small.sql');
		const original = await server.createDatabase(undefined, { load: 'huge-row' });
		const huge = await dump(original, 'huge.sql');
		expect(statSync(huge).size).toBeGreaterThan(100_000_000);

		const byReplay = await server.createDatabase();
		const usual = await replayed(small, await server.createDatabase());
		const result = await replayed(huge, byReplay);
		const byPsql = await server.createDatabase();
		await restore(byPsql, readFileSync(huge));

		expect(result.rows).toBe(1);
		const rows = await rowsOf(byReplay);
		expect(rows).toEqual(await rowsOf(byPsql));
		expect(rows).toEqual(await rowsOf(original));
		expect(result.peakBytes - usual.peakBytes).toBeLessThan(MAX_GROWTH);
	}, 120_000);
});
