/** Postgres Dump: what it does with each backup right after it was made. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { generateIdentity } from '../../core/codecs/age/keys';

import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { createStorage } from '../../core/storage/create';
import { Repository } from '../../core/records/repository';
import { acquireLock } from '../../core/records/locks/lock';
import { MemoryStorage } from '../../core/storage/memory';
import { doAfterwards } from '../../nodes/shared/afterwards';
import { postgresDrill } from '../../core/sources/postgres/drill/drill';
import { makeTinyBackup } from '../support/tiny-backups';
import { PostgresDump } from '../../nodes/PostgresDump/PostgresDump.node';
import { from, type Json, reportOn } from '../support/report-items';
import { runsIn } from '../support/runs';
import { ACTOR, type FakeNode, fakeContext } from '../support/fake-node';
import { sharedPostgres, sql } from '../support/postgres';

const node = new PostgresDump();
const testRestore = { drill: postgresDrill({ scratch: { kind: 'embedded' } }), isPossible: () => true };
let target: DatabaseTarget;
let keyPair: { identity: string; recipient: string };
let folder: string;
let credentials: FakeNode['credentials'];
beforeAll(async () => {
	target = await (await sharedPostgres(18)).createDatabase();
	await sql(target, `CREATE TABLE item AS SELECT i AS id, md5(i::text) AS text FROM generate_series(1, 700) i`);
	keyPair = await generateIdentity();
});
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'afterwards-'));
	const { host, port, database, user, password } = target;
	credentials = {
		postgres: { host, port, database, user, password: password!, ssl: 'disable' },
		backupStorageApi: { type: 'folder', path: folder },
		backupEncryptionApi: { method: 'recipients', recipients: keyPair.recipient, identity: keyPair.identity },
	};
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}) {
	const defaults = {
		operation: 'dump',
		databases: 'credential',
		groupPrefix: 'postgres',
		encryption: 'age',
		options: {},
	};
	const fake = fakeContext({ parameters: { ...defaults, ...parameters }, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	return items!.map(({ json }) => json);
}

const verbs = async () =>
	(await runsIn(createStorage({ type: 'folder', path: folder }))).map(({ verb, state }) => `${verb} ${state}`);

it('restores and compares each backup, unless something else was chosen, and says so first', async () => {
	const [item] = await run({});
	expect(item).toMatchObject({
		summary: expect.stringMatching(
			/^\S+: \d+\.\d kB backed up as \d+\.\d kB, restored and compared: 1 table, 700 rows$/,
		),
		ok: true,
		status: 'stored',
		verification: { ok: true, depth: 'restored', outcome: 'ok', comparison: { tables: 1, rows: 700 } },
		retention: null,
	});
	expect(await verbs()).toEqual(['backup ok', 'verify ok']);
	const { label, group } = item as { label: string; group: string };
	expect(readdirSync(join(folder, group, label))).toContainEqual(
		expect.stringMatching(/^verified-.*-restored-ok\.json$/),
	);
});

it.each([
	['a dump that is larger than that is read to its end', { verifyUpTo: 1 }, 'readable'],
	['without encryption it is restored as well', { encryption: 'none' }, 'restored'],
	['a dump in custom format is read to its end', { options: { format: 'custom', engine: 'builtin' } }, 'readable'],
	['stored', { verifyAfterwards: 'stored' }, 'stored'],
	['readable', { verifyAfterwards: 'readable' }, 'readable'],
])('goes as deep as was chosen, or as far as it can: %s', async (_, parameters, depth) => {
	if ('verifyUpTo' in parameters) {
		await sql(target, `CREATE TABLE large AS SELECT repeat(md5(i::text), 40) AS t FROM generate_series(1, 1000) i`);
	}
	try {
		const [item] = await run(parameters);
		expect(item).toMatchObject({ ok: true, verification: { ok: true, depth } });
	} finally {
		await sql(target, 'DROP TABLE IF EXISTS large');
	}
});

it('looks at the stored bytes where n8n knows recipients only', async () => {
	delete credentials.backupEncryptionApi!.identity;
	expect((await run({}))[0]).toMatchObject({ verification: { depth: 'stored', ok: true } });
});

it('reads to the end what the database inside n8n cannot restore, and says why', async () => {
	const own = await (await sharedPostgres(18)).createDatabase();
	await sql(own, 'CREATE EXTENSION pg_prewarm; CREATE TABLE item (id int)').catch(async () => {
		await sql(own, 'CREATE EXTENSION dblink; CREATE TABLE item (id int)');
	});
	credentials.postgres = { ...credentials.postgres, database: own.database };
	const [item] = await run({});
	expect(item).toMatchObject({
		verification: { ok: true, depth: 'readable', warnings: [expect.stringMatching(/^not restored: /)] },
	});
});

it('does nothing more where that was chosen', async () => {
	expect((await run({ verifyAfterwards: 'no' }))[0]).toMatchObject({ verification: null, retention: null });
	expect(await verbs()).toEqual(['backup ok']);
});

it('keeps what the policy keeps, and only after the new backup was proved', async () => {
	for (let n = 0; n < 2; n++) await run({ verifyAfterwards: 'stored' });
	const [kept] = await run({ verifyAfterwards: 'stored', keep: 'last=2,minimum=1' });
	expect(kept).toMatchObject({ retention: { status: 'applied', kept: 2, removed: [expect.any(String)] } });
	// A newest backup that nobody has looked at removes nothing.
	const [blocked] = await run({ verifyAfterwards: 'no', keep: 'last=1,minimum=1' });
	expect(blocked).toMatchObject({ ok: true, retention: { ok: false, status: 'blocked' } });
});

it.each([
	['an unknown depth', { verifyAfterwards: 'deep' }, /invalid value for "Verify Afterwards": deep/],
	['a size of nothing', { verifyUpTo: 0 }, /"Up To \(MB\)"/],
	['a policy that says nothing', { keep: 'daily=x' }, /"Keep"/],
])('refuses %s before anything is stored', async (_, parameters, message) => {
	await expect(run(parameters)).rejects.toThrow(message);
	expect(readdirSync(folder)).toEqual([]);
});

it('is told by the report as the nodes would be', async () => {
	const items = await run({ keep: 'thirtyDays' });
	const report = reportOn(from('dump', ...(items as Json[])));
	expect(report.outcome).toBe('ok');
	expect(report.text).toContain('verified: restored in');
	expect(report.text).toContain('retention');
});

it('fails the item of a backup that turns out to be bad, and removes nothing for its sake', async () => {
	const storage = new MemoryStorage();
	const { label } = await makeTinyBackup(storage, 'postgres/shop'); // its contents are none of a database
	const repository = await Repository.open(storage);
	const manifest = await repository.readManifest('postgres/shop', label);
	const { context } = fakeContext({ parameters: {}, credentials: {} });
	const { signal } = new AbortController();
	const { facts, failure } = await doAfterwards(
		context,
		{ verify: 'readable', maxBytes: 1000, keep: { name: 'last', policy: { last: 1 } } },
		{ repository, manifest, keys: null, testRestore, lockWaitMs: 0, actor: ACTOR, signal },
	);
	expect(failure).toMatchObject({ code: 'damaged', message: expect.stringMatching(/^the backup is bad: /) });
	expect(facts).toMatchObject({ verification: { ok: false, outcome: 'bad', depth: 'readable' }, retention: null });
});

it('does not fail a backup because older ones could not be removed, and the report calls the run degraded', async () => {
	const [made] = await run({ verifyAfterwards: 'stored' });
	const { group, label } = made as { group: string; label: string };
	const storage = createStorage({ type: 'folder', path: folder });
	const repository = await Repository.open(storage);
	const manifest = await repository.readManifest(group, label);
	const lock = await acquireLock(storage, group);
	try {
		const { context, hints } = fakeContext({ parameters: {}, credentials: {} });
		const { facts, failure } = await doAfterwards(
			context,
			{ verify: 'stored', maxBytes: 1000, keep: { name: 'last', policy: { last: 1 } } },
			{
				repository,
				manifest,
				keys: null,
				testRestore,
				lockWaitMs: 0,
				actor: ACTOR,
				signal: new AbortController().signal,
			},
		);
		expect(failure).toBeNull();
		expect(facts.retention).toMatchObject({ ok: false, status: 'failed', code: 'locked' });
		expect(hints).toEqual([expect.objectContaining({ type: 'warning' })]);
		const report = reportOn(from('dump', { ...(made as Json), ...(facts as Json) }));
		expect(report).toMatchObject({ ok: true, outcome: 'degraded' });
	} finally {
		await lock.release();
	}
});
