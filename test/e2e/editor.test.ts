/**
 * What a person sees in n8n's editor, in a real browser: the way from an empty n8n to the first proved backup, and templates on
 * the canvas: two in `npm test`, all at length and by `npm run pictures`, which stores what this shows for the docs.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { type Box, openPage, signIn, startBrowser, takePicture } from '../support/browser';
import { N8N_START_MS, startTestN8n, type OwnN8n } from '../support/n8n';
import { newFolder, newKeyPair } from '../support/n8n-credentials';
import { NODE_SIZE, overlapping, type Placed, placesOf } from '../support/canvas';
import { Person } from '../support/person';
import { type OwnServer, sql, startPostgres } from '../support/postgres';
import { rounds } from '../support/soak';
import { filesBelow } from '../support/stored-files';

const ROOT = path.resolve(__dirname, '../..');
const TEST_MS = 240_000;
const MAX_CLICKS = 20;
const MAX_FIELDS = 6;
/** Space around what a picture shows, in pixels: names stand below their nodes and are wider. */
const MARGIN = 40;

let n8n: OwnN8n;
let server: OwnServer;
let browser: Browser;

beforeAll(async () => {
	server = await startPostgres(15);
	const shop = await server.createDatabase('shop');
	await sql(shop, fs.readFileSync(path.join(ROOT, 'scripts/demo/shop.sql'), 'utf8'));
	n8n = await startTestN8n();
	browser = await startBrowser();
}, N8N_START_MS);

afterAll(async () => {
	await browser?.close();
	await n8n?.stop();
	await server?.stop();
}, 60_000);

const templates = fs.readdirSync(path.join(ROOT, 'workflows')).filter((file) => file.endsWith('.json'));
/** The first one that people meet, and the largest; of the others, test/workflows looks at what they say. */
const SOME = ['quick-start.json', 'database-backup.json'];
const shown = process.env.PICTURES === '1' ? templates : rounds(SOME, templates);

function textOf(template: string): string {
	return fs.readFileSync(path.join(ROOT, 'workflows', template), 'utf8');
}

it(
	`leads from an empty n8n to the first proved backup with at most ${MAX_CLICKS} clicks and ${MAX_FIELDS} typed fields`,
	async () => {
		const folder = newFolder(n8n);
		const { recipient, identity } = await newKeyPair();
		const page = await openPage(browser, { width: 1280, height: 720 });
		await signIn(page, n8n);
		const person = new Person(page);

		await person.click(page.getByTestId('universal-add'));
		await person.click(page.getByText('New workflow', { exact: true }));
		await page.getByTestId('canvas-add-button').waitFor();
		await person.paste(textOf('quick-start.json'));
		await nodeNamed(page, 'Make Report').waitFor();

		await person.doubleClick(nodeNamed(page, 'Back Up Databases'));
		await connect(person, page, 'Postgres', fieldsOf(server.target()));
		await connect(person, page, 'Backup Storage', { path: folder });
		await connect(person, page, 'Backup Encryption', { recipients: recipient, identity });
		const credentials = { x: 431, y: 26, width: 420, height: 400 };
		await takePicture(page, 'docs/images/first-backup-credentials.png', credentials);
		await person.click(page.getByTestId('ndv-close-button'));
		await person.click(page.getByTestId('execute-workflow-button'));

		await page.getByText('Workflow executed successfully').waitFor({ timeout: TEST_MS / 2 });
		for (const name of ['Back Up Databases', 'Make Report', 'All Well?'])
			expect(await nodeNamed(page, name).getByTestId('canvas-node-status-success').count()).toBe(1);

		const stored = filesBelow(folder);
		for (const database of ['postgres', 'shop']) {
			const names = stored.filter((file) => file.includes(`postgres/${database}/`)).map((file) => path.basename(file));
			expect(names).toContain('manifest.json');
			expect(names).toContainEqual(expect.stringMatching(/^verified-.*-restored-ok\.json$/));
		}
		expect(person.clicks).toBeLessThanOrEqual(MAX_CLICKS);
		expect(person.fields).toBeLessThanOrEqual(MAX_FIELDS);
		await takePicture(page, 'docs/images/first-backup-done.png', around(Object.values(await wholeCanvas(page)).flat()));
		await page.context().close();
	},
	TEST_MS,
);

/** Makes a credential for the open node, as its form asks for it, and saves it. */
async function connect(person: Person, page: Page, kind: string, fields: Record<string, string>): Promise<void> {
	await person.click(page.getByRole('button', { name: `Connect to ${kind}` }));
	const form = page.getByTestId('editCredential-modal');
	// n8n names a new credential, and then fills in what its fields begin with.
	await expect(form.getByTestId('credential-name').textContent()).resolves.toMatch(/./);
	for (const [name, value] of Object.entries(fields))
		await person.fill(form.getByTestId(`parameter-input-${name}`).locator('input, textarea').first(), value);
	await person.click(form.getByTestId('credential-save-button'));
	try {
		await form.waitFor({ state: 'hidden' });
	} catch {
		throw new Error(`The form of ${kind} did not close. It says:\n${await form.innerText()}`);
	}
}

function fieldsOf({ host, database, user, password, port }: DatabaseTarget): Record<string, string> {
	return { host, database, user, password: password ?? '', port: String(port) };
}

function nodeNamed(page: Page, name: string): Locator {
	return page.getByTestId('canvas-node').filter({ hasText: name });
}

describe('the canvas', () => {
	let page: Page;

	// One canvas for all: to load n8n's editor anew takes much longer than to paste a template into it.
	beforeAll(async () => {
		page = await openPage(browser, { width: 1500, height: 1000 });
		await signIn(page, n8n);
		await page.goto(`${n8n.server.url}/workflow/new`);
	}, TEST_MS);
	afterEach(async () => await clear(page));

	it.each(shown)(
		'shows %s with no node on top of another',
		async (file) => {
			const text = textOf(file);
			const template = JSON.parse(text) as { nodes: Placed[] };
			await pasteAll(page, text, template.nodes.length);
			// What was pasted is selected, and would be shown so.
			await page.locator('.vue-flow__pane').click({ position: { x: 5, y: 5 } });
			await page.locator('.vue-flow__node.selected').first().waitFor({ state: 'hidden' });
			const { nodes, notes } = await wholeCanvas(page);
			expect(nodes.length + notes.length).toBe(template.nodes.length);
			expect([overlapping(nodes), overlapping(notes)]).toEqual([[], []]);
			const widest = (boxes: Box[]) => Math.max(...boxes.map(({ width }) => width));
			const zoom = widest(notes) / widest(placesOf(template).notes);
			// Those with many outputs are higher.
			expect(new Set(nodes.map(({ width }) => Math.round(width / zoom)))).toEqual(new Set([NODE_SIZE]));
			const picture = `workflows/images/${file.replace('.json', '.png')}`;
			await takePicture(page, picture, around([...nodes, ...notes]));
		},
		TEST_MS,
	);
});

/** Removes everything from the canvas. */
async function clear(page: Page): Promise<void> {
	await page.keyboard.press('ControlOrMeta+A');
	await page.keyboard.press('Delete');
}

/** Pastes a workflow of so many nodes into the empty canvas. */
async function pasteAll(page: Page, text: string, count: number): Promise<void> {
	const last = page.locator('.vue-flow__node').nth(count - 1);
	const person = new Person(page);
	for (let attempt = 1; ; attempt++) {
		await page.getByTestId('canvas-add-button').waitFor();
		await person.paste(text);
		try {
			return await last.waitFor({ timeout: 25_000 });
		} catch (error) {
			// While n8n saves that the canvas was emptied, it hears nothing, or only a part.
			if (attempt === 3) throw error;
			await clear(page);
		}
	}
}

/** Fits the canvas to the window, with nothing over it. */
async function wholeCanvas(page: Page): Promise<{ nodes: Box[]; notes: Box[] }> {
	// Not by the mouse: the button is hidden once a picture was taken.
	await page.getByTestId('zoom-to-fit').dispatchEvent('click');
	// The dots behind the nodes make a picture large; buttons stand on top of a high one.
	const hidden = '.vue-flow__panel, .vue-flow__background, [role=alert], [class*=executionButtons]';
	const content = `${hidden} { display: none !important }`;
	await page.addStyleTag({ content });
	const nodes = await boxesOf(page.locator('.vue-flow__node:not(:has([data-test-id=sticky]))'));
	const notes = await boxesOf(page.locator('.vue-flow__node:has([data-test-id=sticky])'));
	return { nodes, notes };
}

async function boxesOf(shown: Locator): Promise<Box[]> {
	return await Promise.all((await shown.all()).map(async (node) => (await node.boundingBox())!));
}

function around(boxes: Box[]): Box {
	const x = Math.min(...boxes.map((box) => box.x)) - MARGIN;
	const y = Math.min(...boxes.map((box) => box.y)) - MARGIN;
	const right = Math.max(...boxes.map((box) => box.x + box.width)) + MARGIN;
	const bottom = Math.max(...boxes.map((box) => box.y + box.height)) + MARGIN;
	return { x, y, width: right - x, height: bottom - y };
}
