/** The restore workflow in a real n8n: somebody fills in its form, and the shop is back as it was. */
import fs from 'node:fs';
import path from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { openForm } from '../../scripts/lib/n8n-form.mjs';
import { definitionOf, rowsOf } from '../support/by-hand';
import { databaseUrl, run as runCommand } from '../support/command-line';
import {
	type CredentialReference,
	importTemplate,
	N8N_START_MS,
	recordOf,
	served,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import { databaseCredential, folderCredential, keyCredential, newFolder, newKeyPair } from '../support/n8n-credentials';
import { sharedPostgres, sql } from '../support/postgres';
import { filesBelow } from '../support/stored-files';
import { until } from '../support/until';

const SHOP = path.resolve(__dirname, '../../scripts/demo/shop.sql');
const NODE = 'n8n-nodes-backup.restoreBackup';
const LOGIN = { user: 'somebody', password: 'form-password-3f9' };
const TEST_MS = 180_000;
const NEW = 'New Database';
const REPLACE = 'Existing Database, Replacing It';
const GROUP = 'Database That Was Backed Up';

let n8n: TestN8n;
let shop: DatabaseTarget;
let before: { definition: string; rows: Record<string, string> };
let storage: CredentialReference;
let workflow: string;
let identity: string;
/** Of the backups of the shop, oldest first; a product was added between the two. */
let labels: string[];
/** Executions that {@link ending} has told of. */
const seen = new Set<string>();

beforeAll(async () => {
	// Debian's pg_dump, the judge, must not be older than the server.
	shop = await (await sharedPostgres(15)).createDatabase();
	await sql(shop, fs.readFileSync(SHOP, 'utf8'));
	n8n = await sharedN8n();
	const folder = newFolder(n8n);
	const key = await newKeyPair();
	identity = key.identity;
	await backUp(folder, key.recipient);
	await sql(shop, "INSERT INTO shop.products (name, price) VALUES ('Made later', 1)");
	await backUp(folder, key.recipient);
	await archive(folder, key.recipient);
	before = { definition: await definitionOf(shop), rows: await rowsOf(shop) };
	labels = filesBelow(folder).flatMap((file) => /^postgres\/shop\/([^/]+)\/manifest.json$/.exec(file)?.[1] ?? []);
	storage = await folderCredential(n8n, folder);
	workflow = await importTemplate(n8n, 'restore-database', {
		credentials: {
			backupStorageApi: storage,
			backupEncryptionApi: await keyCredential(n8n, key.recipient, identity),
			// The database that is lost is the one for which users have a credential.
			postgres: await databaseCredential(n8n, shop),
			httpBasicAuth: await n8n.client.createCredential({ name: 'Form', type: 'httpBasicAuth', data: LOGIN }),
		},
	});
	await n8n.client.publishWorkflow(workflow);
	await served(() => fetch(formUrl()));
}, N8N_START_MS);

afterAll(async () => await n8n?.stop(), 60_000);

it('shows its form only to who knows the password', async () => {
	expect((await fetch(formUrl())).status).toBe(401);
	await expect(openForm(formUrl(), { ...LOGIN, password: 'guess' })).rejects.toThrow(/\b401\b/);
});

it(
	'restores the newest backup into a new database, row by row, and says so',
	async () => {
		const database = `${shop.database}_restored`;
		const page = await fillIn({ 'Restore Into': NEW, Database: database });
		expect(page.title).toBe(`Restored postgres/shop into ${database}`);
		expect(page.text).toContain(labels[1]);
		expect(page.text).toMatch(/, of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d America\/New_York restored into: /);
		expect(page.text).toMatch(/took: \d+\.\d s .* compared: 4 tables and [\d,]+ rows, as backed up/);
		await expectAsBefore({ ...shop, database });
		expect(await ending()).toBe('success');
	},
	TEST_MS,
);

it('offers the databases and the backups that there are, with when, how large and how proved, in a time zone that it names', async () => {
	const databases = await (await openForm(formUrl(), LOGIN)).submit({ 'Restore Into': NEW, Database: 'unused' });
	expect(databases.text).toContain('Times are in the time zone America/New_York.');
	// A backup of files is in the storage too.
	expect(databases.choices(GROUP)).toEqual([
		`postgres/shop · 2 backups · newest ${inNewYork(labels[1]!)} America/New_York · none verified`,
	]);
	const backups = await databases.submit({ [GROUP]: databases.choices(GROUP)[0]! });
	expect(backups.text).toContain('Backups of postgres/shop, newest first');
	const backup = (label: string) =>
		expect.stringMatching(
			`^${inNewYork(label)} America/New_York · full · \\d+(\\.\\d+)? kB · not verified · ${label}$`,
		);
	expect(backups.choices('Backup')).toEqual(['Newest', 'Newest Before a Time', backup(labels[1]!), backup(labels[0]!)]);
});

it.each([
	['by its label', () => ({ Backup: labels[0]! })],
	['by a time', () => ({ Backup: 'Newest Before a Time', Time: secondBefore(labels[1]!) })],
])(
	'restores an older backup that is chosen %s',
	async (how, which) => {
		const database = `${shop.database}_chosen ${how}`;
		const page = await fillIn({ 'Restore Into': NEW, Database: database }, which());
		expect(page.title).toBe(`Restored postgres/shop into ${database}`);
		expect(page.text).toContain(labels[0]);
		expect(await ending()).toBe('success');
		const rows = await sql({ ...shop, database }, 'SELECT count(*)::int AS count FROM shop.products');
		expect(rows).toEqual([{ count: 300 }]);
	},
	TEST_MS,
);

it(
	'brings the shop back after its tables were dropped, once its name is typed again',
	async () => {
		await sql(shop, 'DROP SCHEMA shop CASCADE; CREATE TABLE made_since ()');
		const place = { 'Restore Into': REPLACE, Database: shop.database };

		const question = await fillIn(place);
		expect(question.text).toContain(`Everything that is in the database "${shop.database}" now will be lost`);
		const refusal = await question.submit({ 'Type the Name Again': `${shop.database}x` });
		expect(refusal.title).toMatch(/FAILED$/);
		expect(await ending()).toBe('error');
		expect(Object.keys(await rowsOf(shop))).toContain('made_since');

		const report = await (await fillIn(place)).submit({ 'Type the Name Again': shop.database });
		expect(report.text).toContain(`Restored postgres/shop into ${shop.database}`);
		await expectAsBefore(shop);
		expect(await ending()).toBe('success');
		const left = await sql(
			shop,
			'SELECT FROM pg_database WHERE datname <> $1 AND starts_with(datname, $1) AND datname !~ $2',
			[shop.database, '_(restored|chosen by .*)$'],
		);
		expect(left).toEqual([]);
	},
	TEST_MS,
);

it(
	'says what is missing when a backup is not there, and touches nothing',
	async () => {
		const early = { Backup: 'Newest Before a Time', Time: '2001-01-01 12:00' };
		const page = await fillIn({ 'Restore Into': NEW, Database: `${shop.database}_never` }, early);
		expect(page.title).toMatch(/FAILED$/);
		expect(page.text).toContain('postgres/shop');
		expect(page.links['Back to the form']).toBe(formUrl());
		expect(await ending()).toBe('error');
		expect(await sql(shop, 'SELECT FROM pg_database WHERE datname = $1', [`${shop.database}_never`])).toEqual([]);
	},
	TEST_MS,
);

it('keeps secrets out of what n8n records', async () => {
	const executions = await n8n.client.executions(workflow);
	expect(executions.length).toBeGreaterThan(0);
	for (const execution of executions) {
		const record = await recordOf(n8n, execution);
		expect(record).not.toContain(identity);
		expect(record).not.toContain(shop.password);
		expect(record).not.toContain(LOGIN.password);
	}
});

it('lists groups and backups to choose from', async () => {
	const credentials = { backupStorageApi: storage };
	const groups = await n8n.client.list({ node: NODE, method: 'searchGroups', parameters: {}, credentials });
	expect(groups.map(({ value }) => value)).toEqual(['files/shop', 'postgres/shop']);
	const parameters = { group: { __rl: true, mode: 'list', value: 'postgres/shop' } };
	const list = { node: NODE, method: 'searchBackups', parameters, credentials };
	expect((await n8n.client.list(list)).map(({ value }) => value)).toEqual([...labels].reverse());
	expect(await n8n.client.list({ ...list, filter: 'no such backup' })).toEqual([]);
});

function formUrl(): string {
	return `${n8n.server.url}/form/restore-database`;
}

/** Page by page, up to the one that comes after the choice of the backup. `Backup` is what the chosen option ends with. */
async function fillIn(place: Record<string, string>, { Backup = 'Newest', ...which }: Record<string, string> = {}) {
	const databases = await (await openForm(formUrl(), LOGIN)).submit(place);
	const group = databases.choices(GROUP).find((choice) => choice.startsWith('postgres/shop '));
	const backups = await databases.submit({ [GROUP]: group! });
	const backup = backups.choices('Backup').find((choice) => choice.endsWith(Backup));
	return await backups.submit({ ...which, Backup: backup! });
}

/** When a backup was started, as its label says it: "2026-11-19 21:00:00". */
function inNewYork(label: string): string {
	return new Date(startOf(label)).toLocaleString('sv-SE', { timeZone: 'America/New_York' });
}

/** The moment before a backup was started, as its label says it: "2026-11-20T01:59:59Z". */
function secondBefore(label: string): string {
	return new Date(startOf(label) - 1000).toISOString();
}

function startOf(label: string): number {
	return Date.parse(label.replace(/^(.{4})(..)(..)T(..)(..)(..)Z.*/, '$1-$2-$3T$4:$5:$6Z'));
}

/** How the execution ended whose last page was just shown. */
async function ending(): Promise<string> {
	let ended: { id: string; status: string } | undefined;
	await until('the execution has ended', async () => {
		const executions = await n8n.client.executions(workflow);
		ended = executions.find(({ id, status }) => ['success', 'error'].includes(status) && !seen.has(id));
		return ended !== undefined;
	});
	seen.add(ended!.id);
	return ended!.status;
}

async function expectAsBefore(target: DatabaseTarget): Promise<void> {
	expect(await definitionOf(target)).toBe(before.definition);
	expect(await rowsOf(target)).toEqual(before.rows);
}

/** With the command line: another machine than the one that restores. */
async function backUp(folder: string, recipient: string): Promise<void> {
	const place = ['--storage', `file://${folder}`, '--database', databaseUrl(shop), '--group', 'postgres/shop'];
	const { code, stderr } = await runCommand(['dump', ...place, '--recipient', recipient], {
		PGPASSWORD: shop.password,
	});
	if (code !== 0) throw new Error(stderr);
}

/** A backup of another kind beside them. */
async function archive(folder: string, recipient: string): Promise<void> {
	const place = ['--storage', `file://${folder}`, '--group', 'files/shop', '--recipient', recipient];
	const { code, stderr } = await runCommand(['archive', '--path', path.dirname(SHOP), ...place]);
	if (code !== 0) throw new Error(stderr);
}
