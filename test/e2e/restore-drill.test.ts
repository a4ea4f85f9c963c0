/** The drill in a real n8n: it proves good backups, calls bad ones bad, and blames no backup for a scratch that failed. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseEvidence } from '../../core/records/evidence';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { databaseUrl, run as runCommand } from '../support/command-line';
import {
	type CredentialReference,
	type Execution,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	recordOf,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import {
	databaseCredential,
	folderCredential,
	keyCredential,
	type KeyPair,
	newFolder,
	newKeyPair,
} from '../support/n8n-credentials';
import { type OwnServer, sharedPostgres, sql, startPostgres } from '../support/postgres';
import { type Report, type ReportReceiver, startReportReceiver } from '../support/report-receiver';
import { damage, evidenceBelow, filesBelow } from '../support/stored-files';
import { until } from '../support/until';

const DRILL = 'Restore Newest Backups';
const SHOP = path.resolve(__dirname, '../../scripts/demo/shop.sql');
const TEST_MS = 180_000;
const SLEEPING = 'SELECT pg_sleep(600) IS NULL -- until somebody stops it';

let n8n: TestN8n;
let scratch: OwnServer;
let receiver: ReportReceiver;
let key: KeyPair;
let workFolder: string;
let sources: Record<'shop' | 'kinds', DatabaseTarget>;
let encryption: CredentialReference;
let scratchCredential: CredentialReference;

beforeAll(async () => {
	const server = await sharedPostgres(15);
	const shop = await server.createDatabase();
	await sql(shop, fs.readFileSync(SHOP, 'utf8'));
	sources = { shop, kinds: await server.createDatabase(undefined, { load: 'many-kinds' }) };
	scratch = await startPostgres(15);
	receiver = await startReportReceiver();
	workFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'e2e-'));
	key = await newKeyPair();
	n8n = await sharedN8n();
	encryption = await keyCredential(n8n, key.recipient, key.identity);
	scratchCredential = await databaseCredential(n8n, scratch.target());
}, N8N_START_MS);

afterAll(async () => {
	await n8n?.stop();
	await receiver?.stop();
	await scratch?.stop();
	fs.rmSync(workFolder, { recursive: true, force: true });
}, 60_000);

it(
	'restores the newest backup of each group without any server, and reports how long it took',
	async () => {
		const folder = await backUp('shop', 'shop');
		const older = filesBelow(folder);
		await backUp('shop', 'shop', folder);
		const { execution, report } = await drill(folder);
		expect(execution.status).toBe('success');
		expect(report).toMatchObject({ ok: true, subject: 'Restore proved: postgres/shop' });
		expect(report.text).toMatch(/^proved postgres\/shop\/\S+: restored in \d+\.\d s, 4 tables and [1-9][\d,]+ rows /);
		const [item, ...more] = itemsOf(execution, DRILL);
		expect(more).toEqual([]);
		expect(item?.json).toMatchObject({
			ok: true,
			outcome: 'ok',
			depth: 'restored',
			restoreSeconds: expect.any(Number),
		});

		const [evidence, ...others] = evidenceBelow(folder);
		expect(others).toEqual([]);
		expect(path.dirname(evidence!)).toBe(`${String(item?.json.group)}/${String(item?.json.label)}`);
		expect(older.map((file) => path.dirname(file))).not.toContain(path.dirname(evidence!));
		expect(parseEvidence(fs.readFileSync(path.join(folder, evidence!), 'utf8'), folder)).toMatchObject({
			depth: 'restored',
			outcome: 'ok',
		});
	},
	TEST_MS,
);

it(
	'raises the alarm for a damaged backup by its name, and proves the others all the same',
	async () => {
		const folder = await backUp('shop', 'shop');
		await backUp('kinds', 'kinds', folder);
		const dump = filesBelow(folder).find((file) => file.startsWith('postgres/shop/') && file.includes('/dump.'));
		damage(path.join(folder, dump!));

		const { execution, report } = await drill(folder, { server: scratchCredential });
		expect(execution.status).toBe('error');
		expect(execution.error?.message).toContain('Backup BAD: postgres/shop');
		expect(report.ok).toBe(false);
		expect(report.subject).toBe('Backup BAD: postgres/shop; Restore proved: postgres/kinds');
		expect(report).toMatchObject({ notProved: [], bad: [{ group: 'postgres/shop', outcome: 'bad' }] });
		expect(itemsOf(execution, DRILL, 1)).toHaveLength(1);
		const found = evidenceBelow(folder).map((file) => file.replace(/^postgres\/(\w+)\/.*-restored-/, '$1 '));
		expect(found).toEqual(['kinds ok.json', 'shop failed.json']);
		expect(await databasesLeft()).toEqual([]);

		const record = await recordOf(n8n, execution);
		expect(record).not.toContain(key.identity);
		expect(record).not.toContain(scratch.password);
	},
	TEST_MS,
);

it(
	'does not call a backup bad because the scratch server cannot be reached',
	async () => {
		const folder = await backUp('shop', 'shop');
		const gone = await databaseCredential(n8n, { ...scratch.target(), port: 1 });
		const { execution, report } = await drill(folder, { server: gone });
		expect(execution.status).toBe('error');
		expect(report.subject).toBe('Restore drill could not be done: postgres/shop');
		expect(report).toMatchObject({ ok: false, bad: [], notProved: [{ outcome: 'environment' }] });
		expect(evidenceBelow(folder)).toEqual([]);
	},
	TEST_MS,
);

it(
	'leaves no scratch database when somebody presses Stop in the middle of a drill',
	async () => {
		const folder = await backUp('shop', 'shop');
		const workflow = await importDrill(folder, { server: scratchCredential, assertion: SLEEPING });
		const executionId = await n8n.client.start(workflow, 'Every Week');
		await until('the drill asks its question', async () => (await asked(SLEEPING)) > 0);
		expect(await databasesLeft()).toHaveLength(1);
		await n8n.client.cancel(executionId);
		expect((await n8n.client.ended(executionId)).status).toBe('canceled');
		await until('the scratch database is gone', async () => (await databasesLeft()).length === 0);
		expect(evidenceBelow(folder)).toEqual([]);
		expect(receiver.take()).toEqual([]);
	},
	TEST_MS,
);

interface DrillSettings {
	/** Where the scratch database is made; without it, in n8n itself. */
	server?: CredentialReference;
	/** SQL */
	assertion?: string;
}

/** Makes a backup with the command line. @returns the storage's folder */
async function backUp(name: 'shop' | 'kinds', group: string, folder = newFolder(n8n)): Promise<string> {
	const source = sources[name];
	const place = ['--storage', `file://${folder}`, '--database', databaseUrl(source), '--group', `postgres/${group}`];
	const { code, stderr } = await runCommand(['dump', ...place, '--recipient', key.recipient], {
		PGPASSWORD: source.password,
	});
	if (code !== 0) throw new Error(stderr);
	return folder;
}

/** The template as users import it, its report sent to us. */
async function importDrill(folder: string, { server, assertion }: DrillSettings): Promise<string> {
	const credentials = {
		backupStorageApi: await folderCredential(n8n, folder),
		backupEncryptionApi: encryption,
	};
	const fields = {
		...(server ? { scratch: 'server' } : {}),
		...(assertion ? { assertions: { assertion: [{ name: 'asked by the test', sql: assertion }] } } : {}),
	};
	const settings = { reportUrl: receiver.url };
	return await importTemplate(n8n, 'restore-drill', {
		...{ credentials, settings, fieldsOf: { [DRILL]: fields }, activate: ['Post Report'] },
		...(server ? { credentialsOf: { [DRILL]: { postgres: server } } } : {}),
	});
}

async function drill(folder: string, settings: DrillSettings = {}): Promise<{ execution: Execution; report: Report }> {
	const execution = await n8n.client.press(await importDrill(folder, settings));
	const [report, ...more] = receiver.take();
	expect(more).toEqual([]);
	return { execution, report: report! };
}

/** Databases of drills on the scratch server. */
async function databasesLeft(): Promise<string[]> {
	const rows = await sql<{ datname: string }>(
		scratch.target(),
		"SELECT datname FROM pg_database WHERE datname LIKE 'n8n\\_backup\\_%'",
	);
	return rows.map(({ datname }) => datname);
}

/** How many sessions are answering a statement at this moment. */
async function asked(statement: string): Promise<number> {
	const rows = await sql(scratch.target(), 'SELECT FROM pg_stat_activity WHERE query = $1 AND state = $2', [
		statement,
		'active',
	]);
	return rows.length;
}
