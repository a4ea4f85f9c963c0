/** Copies of SQLite databases while others write to them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { snapshotSqlite } from '../../../core/sources/sqlite/snapshot';

const { signal } = new AbortController();

let folder: string;
let source: string;
let copies: string;
beforeEach(() => {
	folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'sqlite-')));
	copies = path.join(folder, 'copies');
	fs.mkdirSync(copies);
	fs.mkdirSync(path.join(folder, 'source'));
	source = path.join(folder, 'source', 'shop.db');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function make(sql = ''): void {
	const database = new DatabaseSync(source);
	database.exec(`CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL); ${sql}`);
	database.close();
}

async function copy() {
	let made = await snapshotSqlite(source, copies, signal);
	// On a busy machine, somebody else may have the lock for longer than a copy waits.
	for (let tries = 1; 'refused' in made && made.refused === 'locked' && tries < 5; tries++)
		made = await snapshotSqlite(source, copies, signal);
	if ('refused' in made) throw new Error(`refused: ${made.refused}`);
	return made;
}

/** Moves money between two accounts in another process, for ever: together they always have 1000. */
const WRITER = `
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync(process.argv[1], { timeout: 20000 });
process.stdout.write('ready');
for (;;) {
	database.exec('BEGIN IMMEDIATE; UPDATE account SET amount = amount - 7 WHERE id = 1; UPDATE account SET amount = amount + 7 WHERE id = 2; INSERT INTO log (at) VALUES (hex(randomblob(200))); COMMIT');
}`;

it.each(['wal', 'delete'])(
	'has every transaction whole or not at all, in journal mode %s',
	async (mode) => {
		make(`INSERT INTO account VALUES (1, 400), (2, 600); CREATE TABLE log (at TEXT); PRAGMA journal_mode = ${mode}`);
		const writer = spawn(process.execPath, ['--no-warnings', '-e', WRITER, source], {
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		try {
			await once(writer.stdout, 'data');
			let before = 0;
			for (let round = 0; round < 6; round++) {
				const { file, facts } = await copy();
				expect(facts.integrity).toEqual(['ok']);
				const database = new DatabaseSync(file);
				expect(database.prepare('SELECT sum(amount) AS sum FROM account').get()).toMatchObject({ sum: 1000 });
				expect(database.prepare('SELECT count(*) AS n FROM log').get()).toMatchObject({ n: facts.rows.log });
				database.close();
				expect(facts.rows.log).toBeGreaterThanOrEqual(before);
				before = facts.rows.log!;
			}
			expect(before).toBeGreaterThan(0);
		} finally {
			writer.kill();
			await once(writer, 'exit');
		}
	},
	60_000,
);

it('has what is in the write-ahead log only', async () => {
	make('PRAGMA journal_mode = wal');
	const open = new DatabaseSync(source);
	open.exec('INSERT INTO account VALUES (1, 5)');
	expect(fs.statSync(`${source}-wal`).size).toBeGreaterThan(0);
	expect((await copy()).facts.rows).toEqual({ account: 1 });
	open.close();
});

it('leaves the folder of a database that nobody has open as it was', async () => {
	make('PRAGMA journal_mode = wal');
	const above = path.dirname(source);
	const before = fs.statSync(above, { bigint: true }).mtimeNs;
	fs.chmodSync(above, 0o555);
	await copy();
	expect(fs.readdirSync(above)).toEqual(['shop.db']);
	expect(fs.statSync(above, { bigint: true }).mtimeNs).toBe(before);
	fs.chmodSync(above, 0o755);
});

it('keeps what a database says of itself, and counts tables with odd names', async () => {
	make(`PRAGMA application_id = 4711; PRAGMA user_version = 12; CREATE TABLE "a ""quoted"" name" (x); INSERT INTO "a ""quoted"" name" VALUES (1), (2);
		CREATE VIRTUAL TABLE words USING fts5(text)`);
	const { file, facts } = await copy();
	expect(facts.rows).toMatchObject({ account: 0, 'a "quoted" name': 2 });
	const database = new DatabaseSync(file);
	expect(database.prepare('PRAGMA application_id').get()).toMatchObject({ application_id: 4711 });
	expect(database.prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 12 });
	database.close();
	expect(fs.statSync(file).size).toBe(fs.statSync(source).size);
});

it('says that a database is damaged', async () => {
	make(
		`INSERT INTO account SELECT value, value FROM generate_series(1, 5000)`.replace(
			'generate_series(1, 5000)',
			'(WITH RECURSIVE s(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM s WHERE value < 5000) SELECT value FROM s)',
		),
	);
	const fd = fs.openSync(source, 'r+');
	fs.writeSync(fd, Buffer.alloc(3000, 0x5a), 0, 3000, 8192);
	fs.closeSync(fd);
	const made = await snapshotSqlite(source, copies, signal);
	if ('refused' in made) expect(made.refused).toBe('damaged');
	else expect(made.facts.integrity).not.toEqual(['ok']);
});

it('says that a file is no database, though it begins like one', async () => {
	fs.writeFileSync(source, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(2032, 7)]));
	expect(await snapshotSqlite(source, copies, signal)).toEqual({ refused: 'no-database' });
	expect(fs.readdirSync(copies)).toEqual([]);
});

it('says that somebody holds a database locked for too long', async () => {
	make();
	const open = new DatabaseSync(source);
	open.exec('BEGIN EXCLUSIVE');
	try {
		expect(await snapshotSqlite(source, copies, signal, 300)).toEqual({ refused: 'locked' });
	} finally {
		open.close();
	}
	expect(fs.readdirSync(copies)).toEqual([]);
});

it('says nothing of a file that is gone', async () => {
	expect(await snapshotSqlite(source, copies, signal)).toEqual({ refused: 'no-database' });
});

it('stops when it is told to, and leaves nothing behind', async () => {
	make();
	const stop = new AbortController();
	const open = new DatabaseSync(source);
	open.exec('BEGIN EXCLUSIVE');
	const copying = snapshotSqlite(source, copies, stop.signal);
	setTimeout(() => stop.abort(), 300);
	const startedAt = performance.now();
	await expect(copying).rejects.toThrow();
	expect(performance.now() - startedAt).toBeLessThan(2000);
	open.close();
	expect(fs.readdirSync(copies)).toEqual([]);
});
