/** The backups of a group come from one server, or somebody has said by name that they may come from another one. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { backUp } from '../../core/verbs/backup/backup';
import { postgresSource } from '../../core/sources/postgres/dump/dump';
import type { Manifest } from '../../core/records/manifest';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { openStorage } from '../../core/storage/create';
import { databaseUrl, run } from '../support/command-line';
import { sharedPostgres, sql } from '../support/postgres';

const { signal } = new AbortController();
const GROUP = 'postgres/shop';
let folder: string;
beforeAll(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'same-server-'))));
afterAll(() => fs.rmSync(folder, { recursive: true }));

it('a dump of another server is refused before anything is stored, and goes on where that is allowed', async () => {
	const name = `same_${process.pid}`;
	const [old, other] = [await sharedPostgres(15), await sharedPostgres(18)];
	const [shop, newShop] = [await old.createDatabase(name), await other.createDatabase(name)];
	for (const target of [shop, newShop]) await sql(target, 'CREATE TABLE item (id int)');
	const storage = openStorage(`file://${folder}`, {});
	const dump = async (target: DatabaseTarget) =>
		await backUp({ storage, group: GROUP, source: postgresSource(target), encryption: null, signal });

	const first = await dump(shop);
	const second = await dump(shop);
	expect(first.manifest.source.server).toMatch(/^[0-9a-f]{32}$/);
	expect(second.manifest.source.server).toBe(first.manifest.source.server);
	const before = fs.readdirSync(path.join(folder, GROUP));
	await expect(dump(newShop)).rejects.toMatchObject({
		code: 'another-server',
		message: `the newest backup of ${GROUP}, ${second.manifest.label}, came from another server`,
		hint: expect.stringContaining('--allow-another-server'),
	});
	expect(fs.readdirSync(path.join(folder, GROUP))).toEqual(before);

	const common = ['--storage', `file://${folder}`, '--group', GROUP];
	const byHand = ['dump', ...common, '--database', databaseUrl(newShop), '--no-encryption', '--json'];
	const third = await run([...byHand, '--allow-another-server'], { PGPASSWORD: newShop.password });
	const manifest = JSON.parse(third.stdout) as Manifest;
	expect(manifest.warnings).toEqual([expect.stringContaining('came from another server')]);
	// Once is enough.
	expect((await dump(newShop)).warnings).toEqual([]);
	await expect(dump(shop)).rejects.toMatchObject({ code: 'another-server' });

	const { stdout } = await run(['list', ...common]);
	const marks = [first.manifest, manifest].map(({ source }) => `of server ${String(source.server).slice(0, 8)}`);
	for (const mark of marks) expect(stdout.split(mark)).toHaveLength(3);
}, 120_000);
