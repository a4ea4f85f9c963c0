import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ICredentialDataDecryptedObject, ICredentialsDecrypted, ICredentialTestFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';
import { generateIdentity } from '../../core/codecs/age/keys';
import { acquireLock } from '../../core/records/locks/lock';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { PostgresDump } from '../../nodes/PostgresDump/PostgresDump.node';
import { toDatabaseTarget } from '../../nodes/shared/credentials';
import { ACTOR, type FakeNode, fakeContext, fakeListContext } from '../support/fake-node';
import { runsIn } from '../support/runs';
import { type OwnServer, sharedPostgres, sql, startPostgres } from '../support/postgres';
import { manifestsBelow } from '../support/stored-files';

const node = new PostgresDump();
let folder: string;
let target: DatabaseTarget;
let other: DatabaseTarget;
let credentials: Record<string, ICredentialDataDecryptedObject>;
let keyPair: { identity: string; recipient: string };

beforeAll(async () => {
	const server = await sharedPostgres(18);
	const stamp = `node_${Date.now()}`;
	target = await server.createDatabase(`${stamp}_one`);
	other = await server.createDatabase(`${stamp}_two`);
	for (const database of [target, other]) {
		await sql(database, `CREATE TABLE t AS SELECT i AS id, 'SECRET-ROW-' || i AS v FROM generate_series(1, 500) i`);
	}
	keyPair = await generateIdentity();
}, 120_000);

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'postgres-dump-'));
	credentials = {
		postgres: {
			host: target.host,
			port: target.port,
			database: target.database,
			user: target.user,
			password: target.password!,
			ssl: 'disable',
		},
		backupStorageApi: { type: 'folder', path: folder },
		backupEncryptionApi: { method: 'recipients', recipients: keyPair.recipient, identity: keyPair.identity },
	};
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const storage = () => createStorage({ type: 'folder', path: folder });

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}) {
	const defaults = {
		operation: 'dump',
		databases: 'credential',
		groupPrefix: 'postgres',
		encryption: 'age',
		verifyAfterwards: 'no',
		options: {},
	};
	const fake = fakeContext({ parameters: { ...defaults, ...parameters }, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	return { items: items!, ...fake };
}

/** Everything that must never be seen in items, hints or errors. */
function expectNoSecret(seen: unknown): void {
	const text = JSON.stringify(seen);
	for (const secret of [target.password!, keyPair.identity, 'SECRET-ROW']) expect(text).not.toContain(secret);
}

describe('Postgres Dump: Dump', () => {
	it('gives the facts of the backup, no bytes and no secret', async () => {
		const { items, hints, messages } = await run({});
		expect(items).toEqual([
			{
				pairedItem: { item: 0 },
				json: expect.objectContaining({
					ok: true,
					status: 'stored',
					group: `postgres/${target.database}`,
					label: expect.stringMatching(/-full-/),
					type: 'full',
					tables: 1,
					contentHash: false,
					rolesSaved: true,
					encrypted: true,
					proved: true,
					engine: expect.stringMatching(/^builtin pg_dump 18/),
					object: 'dump.sql.zst.age',
					storedSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
					location: expect.stringContaining(folder),
					warnings: [],
				}),
			},
		]);
		expect(Object.entries(items[0]!.json)[0]).toEqual([
			'summary',
			expect.stringMatching(/^\S+_one: \d+\.\d kB backed up as \d+\.\d kB, 1 table$/),
		]);
		expect(items[0]!.json.seconds).toBe(Math.round(Number(items[0]!.json.seconds) * 100) / 100);
		expectNoSecret([items, hints, messages]);
		const { label } = items[0]!.json;
		expect(readdirSync(join(folder, 'postgres', target.database, label as string)).sort()).toEqual([
			'contents.json.zst.age',
			'dump.sql.zst.age',
			'globals.sql.zst.age',
			'manifest.json',
		]);
	});

	it('says that nobody has proved that the backup opens when n8n knows only recipients', async () => {
		credentials.backupEncryptionApi!.identity = '';
		const { items, hints } = await run({});
		expect(items[0]!.json).toMatchObject({ ok: true, encrypted: true, proved: false });
		expect(hints).toEqual([
			expect.objectContaining({
				type: 'info',
				message: expect.stringContaining('not proved that the backup can be opened'),
			}),
		]);
	});

	it('encrypts what a backup must hold to the host key as well, so that n8n can compare with it, and the data to nobody else', async () => {
		const host = await generateIdentity();
		credentials.backupEncryptionApi = {
			...{ method: 'recipients', recipients: keyPair.recipient, hostKey: host.identity },
		};
		const { items } = await run({});
		const { group, label } = items[0]!.json as { group: string; label: string };
		const { encryption } = await (await Repository.open(storage())).readManifest(group, label);
		expect(encryption).toMatchObject({ recipients: [keyPair.recipient], host: host.recipient, proved: false });
		expect(JSON.stringify(items)).not.toContain(host.identity);
	});

	it('encrypts to the recipients of the option instead of those of the credential, and proves what it can', async () => {
		const own = await generateIdentity();
		const recipientsOf = async (recipients: unknown) => {
			const { items } = await run({ verifyAfterwards: 'deepest', options: { recipients } });
			const { group, label, proved } = items[0]!.json as { group: string; label: string; proved: boolean };
			const { encryption } = await (await Repository.open(storage())).readManifest(group, label);
			return { ...encryption, proved, depth: (items[0]!.json.verification as { depth: string }).depth };
		};
		expect(await recipientsOf(own.recipient)).toMatchObject({
			...{ recipients: [own.recipient], proved: false, depth: 'stored' },
		});
		expect(await recipientsOf(`${own.recipient}, ${keyPair.recipient}`)).toMatchObject({
			...{ recipients: [own.recipient, keyPair.recipient], proved: true, depth: 'restored' },
		});
		expect(await recipientsOf('')).toMatchObject({ recipients: [keyPair.recipient], proved: true });
	});

	it.each([
		['none', 'not encrypted'],
		['age', 'encrypted with a passphrase'],
	])('refuses recipients where they would not be used (encryption: %s)', async (encryption, why) => {
		credentials.backupEncryptionApi = { method: 'passphrase', passphrase: 'a long enough passphrase' };
		const failure = run({ encryption, options: { recipients: keyPair.recipient } });
		await expect(failure).rejects.toThrow(`"Recipients" is given, and the backup is ${why}`);
	});

	it('saves no roles and hashes every table where that is asked for', async () => {
		const { items } = await run({ options: { globals: 'none', contentHash: true } });
		expect(items[0]!.json).toMatchObject({ rolesSaved: false, contentHash: true });
		const { label } = items[0]!.json;
		expect(readdirSync(join(folder, 'postgres', target.database, label as string))).not.toContain(
			'globals.sql.zst.age',
		);
	});

	it('makes one backup of each database of a list', async () => {
		const { items } = await run({ databases: 'list', databaseNames: `${target.database}, ${other.database}` });
		expect(items.map((item) => item.json.database)).toEqual([target.database, other.database]);
	});

	it('tries every database, then fails, saying which are stored', async () => {
		const parameters = { databases: 'list', databaseNames: `${target.database}, gone, ${other.database}` };
		const failure: unknown = await run(parameters).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({
			message: expect.stringMatching(/^1 of 3 databases could not be backed up: gone: /),
			description: expect.stringContaining('Stored all the same: 2.'),
		});
		expect(readdirSync(join(folder, 'postgres')).sort()).toEqual([target.database, other.database].sort());
	});

	it('routes a failed database to the error output and the others on, where the node continues on errors', async () => {
		const parameters = { databases: 'list', databaseNames: `gone, ${target.database}` };
		const { items } = await run(parameters, { continueOnFail: true });
		// n8n routes by these keys: see toErrorItem.
		expect(items[0]).toEqual({
			pairedItem: { item: 0 },
			json: {
				error: expect.stringContaining('gone'),
				details: { group: 'postgres/gone', database: 'gone', code: 'database-not-found', hint: expect.any(String) },
			},
		});
		expect(items[1]).toMatchObject({ json: { ok: true } });
		expect(items[1]!.error).toBeUndefined();
	});

	it('says out loud that a backup is not encrypted', async () => {
		delete credentials.backupEncryptionApi;
		const { items, hints } = await run({ encryption: 'none' });
		expect(items[0]!.json).toMatchObject({ encrypted: false, object: 'dump.sql.zst' });
		expect(hints).toEqual([
			expect.objectContaining({ type: 'warning', message: expect.stringContaining('not encrypted') }),
		]);
	});

	it.each([
		['a wrong password', { postgres: { password: 'nonsense-password' } }, /password/],
		['a missing folder', { backupStorageApi: { path: '/nonexistent/backups' } }, /nonexistent/],
		['no recipients', { backupEncryptionApi: { recipients: '', identity: '' } }, /recipient/],
		['a short passphrase', { backupEncryptionApi: { method: 'passphrase', passphrase: 'short' } }, /passphrase/],
	])('%s is a clear error with a hint', async (_, change, message) => {
		for (const [type, fields] of Object.entries(change)) credentials[type] = { ...credentials[type], ...fields };
		const failure: unknown = await run({}).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({
			message: expect.stringMatching(message),
			description: expect.stringMatching(/\.$/),
		});
		expectNoSecret([(failure as Error).message, (failure as NodeOperationError).description]);
		expect(JSON.stringify(failure)).not.toContain('nonsense-password');
	});

	it.each([
		['a compression level of 99', { zstdLevel: 99 }],
		['a negative timeout', { stallTimeout: -1 }],
		['a lock timeout that is no number', { lockTimeout: 'soon' }],
	])('%s is refused before anything starts', async (_, options) => {
		await expect(run({ options })).rejects.toThrow(NodeOperationError);
		expect(readdirSync(folder)).toEqual([]);
	});

	it('uses a folder only where n8n allows files, and says which setting decides', async () => {
		await expect(run({}, { allowedFolder: '/elsewhere' })).rejects.toMatchObject({
			description: expect.stringContaining('N8N_RESTRICT_FILE_ACCESS_TO'),
		});
		expect(readdirSync(folder)).toEqual([]);
	});

	it('says itself which server refuses the connection, where n8n has a text of its own for that', async () => {
		credentials.postgres = { ...credentials.postgres, host: '127.0.0.1', port: 1 };
		await expect(run({})).rejects.toMatchObject({
			message: expect.stringMatching(/127\.0\.0\.1:1\b.*ECONNREFUSED/),
			description: expect.stringContaining('port'),
		});
	});

	it('tags a backup for retention policies', async () => {
		const { items } = await run({ options: { tags: 'audit, before-upgrade' } });
		expect(items[0]!.json).toMatchObject({ tags: ['audit', 'before-upgrade'], protectedUntil: null });
		const repository = await Repository.open(storage());
		expect(await repository.list()).toMatchObject([{ tags: ['audit', 'before-upgrade'] }]);
		await expect(run({ options: { tags: 'Über' } })).rejects.toThrow(/"Über" is not a valid tag/);
	});

	it('waits while another run writes to the group, or fails at once and names its workflow and execution', async () => {
		await run({});
		const actor = { via: 'n8n', workflow: 'nightly', execution: '41' } as const;
		const lock = await acquireLock(storage(), `postgres/${target.database}`, { actor });
		const failure: unknown = await run({ options: { lockWait: 0 } }).catch((error: unknown) => error);
		expect(failure).toMatchObject({
			type: 'locked',
			message: expect.stringMatching(/is locked by .*, backup, workflow nightly, execution 41\) since/),
		});
		const ended = run({});
		await lock.release();
		expect((await ended).items).toMatchObject([{ json: { ok: true } }]);
	});

	it('refuses a retention lock that the storage cannot keep, and stores nothing without it', async () => {
		const retentionLock = { lock: { mode: 'governance', keepFor: 'days', days: 30 } };
		await expect(run({ options: { retentionLock } })).rejects.toMatchObject({ type: 'unsupported' });
		expect(manifestsBelow(folder)).toEqual([]);
	});

	it('leaves in the journal which workflow, execution and node it was, and who asked for it', async () => {
		await run({ options: { requestedBy: 'operator', request: '3f9ak2m' } });
		const actor = { ...ACTOR, requestedBy: 'operator', request: '3f9ak2m' };
		expect(await runsIn(storage())).toEqual([{ verb: 'backup', state: 'ok', actor }]);
	});

	it('stops when the run is stopped, and leaves no backup', async () => {
		const failure: unknown = await run({}, { signal: AbortSignal.abort() }).catch((error: unknown) => error);
		expect(failure).toMatchObject({ message: expect.stringContaining('stopped') });
		expect(readdirSync(folder)).not.toContain('postgres');
	});
});

describe('Postgres Dump: Check Connection', () => {
	it('answers every question', async () => {
		const { items } = await run({ operation: 'check' });
		expect(items).toHaveLength(1);
		const [database] = items[0]!.json.databases as Array<{ findings: Array<{ check: string }> }>;
		// Other tests restore on the same server, and Check may see what they have not tidied up yet.
		database!.findings = database!.findings.filter(({ check }) => check !== 'leftovers');
		expect(items[0]!.json).toMatchObject({
			ok: true,
			findings: [{ check: 'encryption' }, { check: 'signatures' }, { check: 'storage' }, { check: 'space' }],
			databases: [
				{
					database: target.database,
					findings: [{ check: 'connection' }, { check: 'engine' }, { check: 'privileges' }],
				},
			],
		});
		expectNoSecret(items);
		expect(readdirSync(folder)).toEqual([]);
	});

	it('fails when a check fails, and says all that is wrong and what to do about it', async () => {
		const user = `checker_${Date.now()}`;
		await sql(target, `CREATE ROLE ${user} LOGIN PASSWORD 'checker-password'`);
		credentials.postgres = { ...credentials.postgres, user, password: 'checker-password' };
		credentials.backupStorageApi = { type: 'folder', path: '/nonexistent/backups' };
		const failure: unknown = await run({ operation: 'check' }).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({
			message: expect.stringMatching(/^3 of [78] checks failed: .*\/nonexistent\/backups.*public\.t \(no SELECT\)/),
			description: expect.stringContaining('pg_read_all_data'),
		});
		// For the error output: all findings, in the form that n8n sends there.
		const { items } = await run({ operation: 'check' }, { continueOnFail: true });
		expect(items[0]!.json).toEqual({ error: (failure as Error).message, details: expect.anything() });
		const details = JSON.stringify(items[0]!.json.details);
		expect(details).toContain('public.t (no SELECT)');
		expect(details).toContain('bucket-not-found');
		const asResult = await run({ operation: 'check', onFinding: 'result' });
		expect(asResult.items[0]!.json).toMatchObject({ summary: (failure as Error).message, ok: false });
		// To the workflow's report, an item with a message is the error of a node, of which nothing else is known.
		expect(asResult.items[0]!.json).not.toHaveProperty('message');
	});

	it('finds an identity that does not belong to the recipients', async () => {
		credentials.backupEncryptionApi!.identity = (await generateIdentity()).identity;
		const { items } = await run({ operation: 'check', onFinding: 'result' });
		expect(items[0]!.json).toMatchObject({
			ok: false,
			findings: expect.arrayContaining([expect.objectContaining({ code: 'wrong-identity' })]),
		});
	});
});

describe('a server of which the credential names an empty database, as n8n does by default', () => {
	let server: OwnServer;
	beforeAll(async () => {
		server = await startPostgres(18);
		for (const name of ['crm', 'shop']) {
			const rows = name === 'shop' ? 50_000 : 10;
			await sql(await server.createDatabase(name), `CREATE TABLE t AS SELECT generate_series(1, ${rows}) AS id`);
		}
	}, 120_000);
	afterAll(async () => await server.stop());
	beforeEach(() => {
		const { host, port, user, password } = server.target();
		credentials.postgres = { host, port, user, password: password!, database: 'postgres', ssl: 'disable' };
	});

	const WARNING = expect.stringMatching(
		/^the database "postgres" has no tables, but the server also has shop \(\d+\.\d MB\), crm \(\d+\.\d MB\)$/,
	);

	it('has all its databases backed up by default, and nothing to warn of', async () => {
		const byDefault = node.description.properties.find(({ name }) => name === 'databases')!.default;
		const { items, hints } = await run({ databases: byDefault });
		expect(items.map(({ json }) => [json.database, json.tables, json.warnings])).toEqual([
			['crm', 1, []],
			['postgres', 0, []],
			['shop', 1, []],
		]);
		expect(hints).toEqual([]);
	});

	it('is warned of when only that one is backed up, with the names and sizes of the others', async () => {
		const { items, hints } = await run({});
		expect(items[0]!.json).toMatchObject({ tables: 0, warnings: [WARNING] });
		expect(hints).toEqual([expect.objectContaining({ type: 'warning' })]);
		const check = await run({ operation: 'check' });
		expect(check.items[0]!.json).toMatchObject({
			ok: true,
			summary: expect.stringMatching(/^all \d checks passed, but: the database "postgres" has no tables/),
			databases: [{ findings: [{}, {}, { check: 'privileges', ok: true, warning: true, message: WARNING }] }],
		});
		expect(check.hints).toEqual([expect.objectContaining({ message: WARNING, type: 'warning' })]);
		await expect(run({ operation: 'check', databases: 'all' })).resolves.toMatchObject({ hints: [] });
	});

	it('is warned of without the sizes that its user may not see', async () => {
		await sql(server.target(), `CREATE ROLE plain LOGIN PASSWORD 'plain'; REVOKE CONNECT ON DATABASE shop FROM public`);
		credentials.postgres = { ...credentials.postgres, user: 'plain', password: 'plain' };
		const { items } = await run({ options: { globals: 'none' } });
		expect(items[0]!.json.warnings).toEqual([expect.stringMatching(/also has crm \(\d+\.\d MB\), shop$/)]);
	});

	it('gives the list from which databases are chosen', async () => {
		const list = await node.methods.loadOptions.getDatabases.call(fakeListContext({ parameters: {}, credentials }));
		expect(list).toEqual(['crm', 'postgres', 'shop'].map((name) => ({ name, value: name })));
		const { items } = await run({ databases: 'list', databaseNames: ['shop'] });
		expect(items.map(({ json }) => json.database)).toEqual(['shop']);
	});
});

describe('the credential tests', () => {
	const test = async (name: 'backupStorageTest' | 'backupEncryptionTest', data: ICredentialDataDecryptedObject) => {
		const credential = { id: '1', name: 'x', type: 'x', data } as ICredentialsDecrypted;
		return await node.methods.credentialTest[name].call({} as ICredentialTestFunctions, credential);
	};

	it('accept a storage only after writing, reading and removing in it', async () => {
		expect(await test('backupStorageTest', { type: 'folder', path: folder })).toMatchObject({ status: 'OK' });
		expect(readdirSync(folder)).toEqual([]);
		expect(await test('backupStorageTest', { type: 'folder', path: `${folder}/missing` })).toMatchObject({
			status: 'Error',
			message: expect.stringContaining('missing'),
		});
		expect(await test('backupStorageTest', { type: 's3' })).toMatchObject({
			status: 'Error',
			message: expect.stringContaining('"Bucket"'),
		});
	});

	it('say where a key pair comes from when there is none yet', async () => {
		const answer = await test('backupEncryptionTest', { method: 'recipients', recipients: '' });
		expect(answer).toEqual({
			status: 'Error',
			message: expect.stringMatching(/has no recipient\. .*new-key\.json.*age-keygen/),
		});
	});

	it('accept a key pair, and say that a recipient alone proves nothing', async () => {
		const { recipient: recipients, identity } = await generateIdentity();
		expect(await test('backupEncryptionTest', { method: 'recipients', recipients, identity })).toMatchObject({
			status: 'OK',
		});
		expect(await test('backupEncryptionTest', { method: 'recipients', recipients })).toMatchObject({
			status: 'OK',
			message: expect.stringContaining('not proved'),
		});
	});

	it('refuse an identity that does not open what the recipients get', async () => {
		const { identity } = await generateIdentity();
		const answer = await test('backupEncryptionTest', {
			method: 'recipients',
			recipients: keyPair.recipient,
			identity,
		});
		expect(answer).toMatchObject({ status: 'Error', message: expect.stringContaining('does not open') });
		expect(answer.message).not.toContain(identity);
	});

	it.each([
		['one of the recipients, which would open the data too', () => keyPair.identity, /host key opens the data too/],
		['no key', () => 'AGE-SECRET-KEY-1HELLO', /.+/],
		['two keys', () => `${keyPair.identity}\n${keyPair.identity}`, /is 2 keys, not one/],
	])('refuse a host key that is %s', async (_, hostKey, message) => {
		const answer = await test('backupEncryptionTest', {
			...{ method: 'recipients', recipients: keyPair.recipient, hostKey: hostKey() },
		});
		expect(answer).toMatchObject({ status: 'Error', message: expect.stringMatching(message) });
		expect(answer.message).not.toContain(keyPair.identity);
	});
});

describe('the built-in postgres credential', () => {
	it.each([
		[{ allowUnauthorizedCerts: true, ssl: 'disable' }, 'encrypt'],
		[{ ssl: 'require' }, 'verify'],
		[{ ssl: 'allow' }, 'prefer'],
		[{ ssl: 'disable' }, 'off'],
		[{}, 'off'],
	])('%j means TLS %s', (fields, tls) => expect(toDatabaseTarget(fields)).toMatchObject({ tls }));

	it('brings its SSH tunnel along', () => {
		const ssh = { sshTunnel: true, sshHost: 'bastion', sshPort: 2222, sshUser: 'jump', sshPassword: 'pw' };
		expect(toDatabaseTarget({ ...ssh, sshAuthenticateWith: 'password' }).ssh).toEqual({
			host: 'bastion',
			port: 2222,
			user: 'jump',
			password: 'pw',
		});
		expect(
			toDatabaseTarget({ ...ssh, sshAuthenticateWith: 'privateKey', privateKey: 'KEY', passphrase: '' }).ssh,
		).toEqual({ host: 'bastion', port: 2222, user: 'jump', privateKey: 'KEY', passphrase: undefined });
	});
});
