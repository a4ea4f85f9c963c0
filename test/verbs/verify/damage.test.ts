/** Every way a backup can be bad, or seem to be: each is called by its right name, never ok, and never bad for what is around it. */
import { BackupError } from '../../../core/base/errors';
import { createLabel } from '../../../core/records/label';
import { generateIdentity } from '../../../core/codecs/age/keys';
import type { RewriteRules } from '../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../core/sources/postgres/connection/target';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { writeText } from '../../../core/records/small-objects';
import type { Scratch } from '../../../core/sources/postgres/drill/scratch-database';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { type VerifyResult } from '../../../core/verbs/verify/types';
import { FaultyStorage } from '../../support/faulty-storage';
import { type OwnServer, sql, startPostgres } from '../../support/postgres';
import { rounds } from '../../support/soak';
import {
	bytesOf,
	flip,
	GROUP,
	makeSmallBackup,
	remake,
	requestFor,
	type SmallBackup,
	spoil,
} from '../../support/small-backup';

let server: OwnServer;
let source: DatabaseTarget;
let scratch: Scratch;
let backup: SmallBackup;
let clear: SmallBackup;
beforeAll(async () => {
	// Of its own: other tests drill too, and these here look which databases are left.
	server = await startPostgres(17);
	scratch = { kind: 'server', target: server.target() };
	source = await server.createDatabase();
	await sql(
		source,
		`CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
		 INSERT INTO customers SELECT i, md5(i::text) FROM generate_series(1, 40) i;
		 CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers);
		 INSERT INTO orders SELECT i, i FROM generate_series(1, 20) i`,
	);
	backup = await makeSmallBackup(source);
	clear = await makeSmallBackup(source, { clear: true });
}, 120_000);
afterAll(async () => await server.stop());

const OBJECT = 'dump.sql.zst.age';
const CONTENTS = 'contents.json.zst.age';
const MANIFEST = 'manifest.json';

async function drills(): Promise<string[]> {
	const rows = await sql<{ datname: string }>(
		server.target(),
		`SELECT datname FROM pg_database WHERE datname LIKE 'n8n\\_backup\\_drill\\_%'`,
	);
	return rows.map(({ datname }) => datname);
}

function expectBad(result: VerifyResult, code: string): void {
	expect(result).toMatchObject({ outcome: 'bad', code, evidence: expect.stringMatching(/-failed\.json$/) });
	expect(result.message).not.toBe('');
}

function expectEnvironment(result: VerifyResult, code: string): void {
	expect(result).toMatchObject({ outcome: 'environment', code, evidence: null, hint: expect.stringMatching(/\.$/) });
}

describe('any single byte flipped', () => {
	it.each([OBJECT, CONTENTS])('in %s is damage of the stored bytes', async (name) => {
		const bytes = await bytesOf(backup, name);
		for (let at = 0; at < bytes.length; at += rounds(7, 1)) {
			const result = await verifyBackup(requestFor(await spoil(backup, { [name]: flip(bytes, at) }), 'stored'));
			expectBad(result, 'damaged');
		}
	});

	it('in the manifest is an invalid manifest', async () => {
		const bytes = await bytesOf(backup, MANIFEST);
		for (let at = 0; at < bytes.length; at += rounds(5, 1)) {
			const result = await verifyBackup(requestFor(await spoil(backup, { [MANIFEST]: flip(bytes, at) }), 'stored'));
			expectBad(result, 'invalid-manifest');
		}
	});

	it('that makes the manifest look like one of a newer version is an invalid manifest', async () => {
		const text = (await bytesOf(backup, MANIFEST)).toString();
		const newer = Buffer.from(text.replace('"format": 1', '"format": 3'));
		expectBad(await verifyBackup(requestFor(await spoil(backup, { [MANIFEST]: newer }), 'stored')), 'invalid-manifest');
	});

	it('in the object is damage, not a wrong key, when it is read', async () => {
		const bytes = await bytesOf(backup, OBJECT);
		// Every byte of the header, where a damage looks like a wrong key, and a sample of the rest.
		const header = bytes.indexOf('\n---') + 48;
		for (let at = 0; at < bytes.length; at += at < header ? 3 : 41) {
			const result = await verifyBackup(requestFor(await spoil(backup, { [OBJECT]: flip(bytes, at) }), 'readable'));
			expectBad(result, 'damaged');
		}
	});

	it('in the contents is damage when they are read', async () => {
		const bytes = await bytesOf(backup, CONTENTS);
		for (let at = 0; at < bytes.length; at += 29) {
			const result = await verifyBackup(requestFor(await spoil(backup, { [CONTENTS]: flip(bytes, at) }), 'readable'));
			expectBad(result, 'damaged');
		}
	});

	it('in an object that is not encrypted is damage when it is read', async () => {
		const bytes = await bytesOf(clear, 'dump.sql.zst');
		for (let at = 0; at < bytes.length; at += 11) {
			const result = await verifyBackup(
				requestFor(await spoil(clear, { 'dump.sql.zst': flip(bytes, at) }), 'readable'),
			);
			expectBad(result, 'damaged');
		}
	});

	it('is damage in a drill too, and leaves no scratch database', async () => {
		for (const [whole, name] of [
			[backup, OBJECT],
			[clear, 'dump.sql.zst'],
		] as const) {
			const bytes = await bytesOf(whole, name);
			for (const at of [50, Math.floor(bytes.length / 2), bytes.length - 1]) {
				const spoilt = await spoil(whole, { [name]: flip(bytes, at) });
				expectBad(await verifyBackup(requestFor(spoilt, 'restored', { scratch })), 'damaged');
			}
		}
		expect(await drills()).toEqual([]);
	});
});

describe('truncation', () => {
	it.each(['stored', 'readable', 'restored'] as const)('at any place is damage at depth %s', async (depth) => {
		for (const name of [OBJECT, CONTENTS]) {
			const bytes = await bytesOf(backup, name);
			const step = { stored: 13, readable: 101, restored: 701 }[depth];
			for (let length = 0; length < bytes.length; length += step) {
				const cut = await spoil(backup, { [name]: bytes.subarray(0, length) });
				expectBad(await verifyBackup(requestFor(cut, depth, { scratch })), 'damaged');
			}
		}
		expect(await drills()).toEqual([]);
	});

	it('of a manifest is an invalid manifest', async () => {
		const bytes = await bytesOf(backup, MANIFEST);
		for (let length = 0; length < bytes.length; length += 37) {
			const cut = await spoil(backup, { [MANIFEST]: bytes.subarray(0, length) });
			expectBad(await verifyBackup(requestFor(cut, 'readable')), 'invalid-manifest');
		}
	});
});

describe('two objects swapped', () => {
	it.each(['stored', 'readable', 'restored'] as const)('between two backups are damage at depth %s', async (depth) => {
		const other = await remake(backup, {});
		const swapped = await spoil(backup, { [OBJECT]: await bytesOf(other, OBJECT) });
		expectBad(await verifyBackup(requestFor(swapped, depth, { scratch })), 'damaged');
	});

	it('within a backup are damage', async () => {
		const swapped = await spoil(backup, {
			[OBJECT]: await bytesOf(backup, CONTENTS),
			[CONTENTS]: await bytesOf(backup, OBJECT),
		});
		expectBad(await verifyBackup(requestFor(swapped, 'stored')), 'damaged');
		expectBad(await verifyBackup(requestFor(swapped, 'readable')), 'damaged');
	});

	it('as manifests of two backups are invalid manifests', async () => {
		const other = await remake(backup, {});
		const swapped = await spoil(backup, { [MANIFEST]: await bytesOf(other, MANIFEST) });
		const result = await verifyBackup(requestFor(swapped, 'stored'));
		// Two backups of one second have different labels.
		expectBad(result, 'invalid-manifest');
	});
});

describe('a key', () => {
	it('that does not belong to the backup is no damage', async () => {
		const keys = { identities: [(await generateIdentity()).identity] };
		expectEnvironment(await verifyBackup(requestFor(backup, 'readable', { keys })), 'wrong-identity');
		expectEnvironment(await verifyBackup(requestFor(backup, 'restored', { keys, scratch })), 'wrong-identity');
	});

	it('that does not belong to the backup does not hide damage', async () => {
		const keys = { identities: [(await generateIdentity()).identity] };
		const bytes = await bytesOf(backup, OBJECT);
		const spoilt = await spoil(backup, { [OBJECT]: flip(bytes, bytes.length - 1) });
		expectBad(await verifyBackup(requestFor(spoilt, 'readable', { keys })), 'damaged');
	});

	it('that is missing leaves only the stored bytes to be judged', async () => {
		const result = await verifyBackup(requestFor(backup, 'readable', { keys: null }));
		expectEnvironment(result, 'wrong-identity');
		expect(result.hint).toContain('--identity');
		const bytes = await bytesOf(backup, CONTENTS);
		const spoilt = await spoil(backup, { [CONTENTS]: flip(bytes, 9) });
		expectBad(await verifyBackup(requestFor(spoilt, 'restored', { keys: null, scratch })), 'damaged');
	});
});

describe('what is not there', () => {
	it('a manifest without its object is bad', async () => {
		for (const name of [OBJECT, CONTENTS]) {
			const without = await spoil(backup, { [name]: null });
			expectBad(await verifyBackup(requestFor(without, 'stored')), 'not-found');
			expectBad(await verifyBackup(requestFor(without, 'readable')), 'not-found');
		}
	});

	it('an object without a manifest is no backup', async () => {
		const without = await spoil(backup, { [MANIFEST]: null });
		await expect(verifyBackup(requestFor(without, 'stored'))).rejects.toMatchObject({
			code: 'incomplete',
			message: expect.stringContaining('no manifest'),
		});
	});

	it('half a dump of a killed run is no backup', async () => {
		const label = createLabel('full', new Date());
		await writeText(backup.repository.storage, objectKey(GROUP, label, OBJECT), 'half a du');
		const verifying = verifyBackup(requestFor({ ...backup, label }, 'readable'));
		await expect(verifying).rejects.toMatchObject({ code: 'incomplete' });
	});

	it('a label that never was is not found', async () => {
		const label = createLabel('full', new Date(0));
		await expect(verifyBackup(requestFor({ ...backup, label }, 'stored'))).rejects.toMatchObject({ code: 'not-found' });
	});

	it('a backup that is removed meanwhile is not bad', async () => {
		const storage = Object.assign(new FaultyStorage(backup.repository.storage), { stat: async () => null });
		const repository = await Repository.open(storage);
		expectEnvironment(await verifyBackup(requestFor({ ...backup, repository }, 'stored')), 'not-found');
	});
});

describe('a dump whose bytes are as they were stored', () => {
	it('but that pg_dump never finished is incomplete', async () => {
		const killed = await remake(backup, { dump: backup.dump.slice(0, backup.dump.indexOf('COPY public.orders')) });
		expect(await verifyBackup(requestFor(killed, 'stored'))).toMatchObject({ outcome: 'ok' });
		expectBad(await verifyBackup(requestFor(killed, 'readable')), 'incomplete');
		expectBad(await verifyBackup(requestFor(killed, 'restored', { scratch })), 'incomplete');
		expect(await drills()).toEqual([]);
	});

	it('but that lacks a row is different', async () => {
		const less = await remake(backup, { dump: backup.dump.replace(/^40\t\w+\n/m, '') });
		expect(less.dump.length).toBeLessThan(backup.dump.length);
		expect(await verifyBackup(requestFor(less, 'readable'))).toMatchObject({ outcome: 'ok' });
		const result = await verifyBackup(requestFor(less, 'restored', { scratch }));
		expectBad(result, 'different');
		expect(result.comparison).toMatchObject({
			ok: false,
			differences: [{ item: 'public.customers', expected: '40 rows', found: '39 rows' }],
		});
		const evidence = (await bytesOf(less, result.evidence!)).toString();
		expect(evidence).toContain('1 of 2 tables differ');
		expect(evidence).not.toContain('customers');
	});

	it('but whose rows break its own constraints is refused by the server', async () => {
		const broken = await remake(backup, { dump: backup.dump.replace(/^20\t20\n/m, '20\t9999\n') });
		const result = await verifyBackup(requestFor(broken, 'restored', { scratch }));
		expectBad(result, 'restore-failed');
		const evidence = (await bytesOf(broken, result.evidence!)).toString();
		expect(evidence).toMatch(/SQLSTATE 23503/);
		expect(evidence).not.toMatch(/customer|orders/);
	});
});

describe('around a good backup', () => {
	it('a storage that breaks off, stalls or refuses is not the backup’s fault', async () => {
		const lost = new BackupError('connection-lost', 'the storage went away', { hint: 'Try again.' });
		for (const depth of ['stored', 'readable', 'restored'] as const) {
			const cut = new FaultyStorage(backup.repository.storage, [
				{ on: 'read', key: /dump/, after: 100, then: { fail: lost } },
			]);
			const breaking = requestFor({ ...backup, repository: await Repository.open(cut) }, depth, { scratch });
			expectEnvironment(await verifyBackup(breaking), 'connection-lost');
			for (const where of [{ key: /dump/, after: 100 }, { key: /contents/, after: 100 }, { key: /dump/ }]) {
				const hung = new FaultyStorage(backup.repository.storage, [{ on: 'read', ...where, then: 'hang' }]);
				const stalling = requestFor({ ...backup, repository: await Repository.open(hung) }, depth, {
					scratch,
					limits: { stallTimeoutMs: 300 },
				});
				expectEnvironment(await verifyBackup(stalling), 'stalled');
			}
		}
		expect(await drills()).toEqual([]);
	});

	it('a byte that changes on the way once is not the backup’s fault', async () => {
		const bytes = await bytesOf(backup, OBJECT);
		for (const depth of ['stored', 'readable'] as const) {
			let reads = 0;
			const spoilt = await spoil(backup, { [OBJECT]: flip(bytes, 500) });
			const storage = new FaultyStorage(backup.repository.storage);
			const read = storage.read.bind(storage);
			storage.read = async (key, options) => {
				const isFirst = key.endsWith(OBJECT) && ++reads === 1;
				return isFirst ? await spoilt.repository.storage.read(key, options) : await read(key, options);
			};
			const repository = await Repository.open(storage);
			const result = await verifyBackup(requestFor({ ...backup, repository }, depth));
			expect(result).toMatchObject({ outcome: 'ok', warnings: [expect.stringContaining('network')] });
		}
	});

	it('an extension that the scratch server lacks is not the backup’s fault', async () => {
		const wants = await remake(backup, {
			contents: { extensions: [...backup.contents.extensions, { name: 'no_such_extension', version: '1.0' }] },
		});
		const result = await verifyBackup(requestFor(wants, 'restored', { scratch }));
		expectEnvironment(result, 'missing-requirements');
		expect(result.message).toContain('no_such_extension');
	});

	it('an extension that only the dump names is not the backup’s fault', async () => {
		const at = backup.dump.indexOf('CREATE TABLE');
		const dump = `${backup.dump.slice(0, at)}CREATE EXTENSION no_such_extension;\n\n${backup.dump.slice(at)}`;
		const result = await verifyBackup(requestFor(await remake(backup, { dump }), 'restored', { scratch }));
		expectEnvironment(result, 'restore-failed');
		expect(result.message).toContain('no_such_extension');
	});

	it('a role that the scratch server lacks does not matter, unless its owners are asked for', async () => {
		const dump = backup.dump.replaceAll(/OWNER TO \w+;/g, 'OWNER TO no_such_role;');
		const foreign = await remake(backup, { dump, contents: { roles: ['no_such_role'], owners: ['no_such_role'] } });
		expect(await verifyBackup(requestFor(foreign, 'restored', { scratch }))).toMatchObject({ outcome: 'ok' });
		const rules: RewriteRules = { owners: 'keep', privileges: 'drop' };
		expectEnvironment(await verifyBackup(requestFor(foreign, 'restored', { scratch, rules })), 'missing-requirements');
		const unknown = await remake(backup, { dump });
		expectEnvironment(await verifyBackup(requestFor(unknown, 'restored', { scratch, rules })), 'restore-failed');
	});

	it.each<[string, (t: DatabaseTarget) => DatabaseTarget, string]>([
		['nobody listens', (t) => ({ ...t, port: 1 }), 'unreachable'],
		['the password is wrong', (t) => ({ ...t, password: 'wrong' }), 'wrong-credentials'],
		['the database is missing', (t) => ({ ...t, database: 'gone' }), 'database-not-found'],
	])('a scratch server where %s is not the backup’s fault', async (_, change, code) => {
		const elsewhere: Scratch = { kind: 'server', target: change(server.target()) };
		expectEnvironment(await verifyBackup(requestFor(backup, 'restored', { scratch: elsewhere })), code);
	});
});
