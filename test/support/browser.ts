/** A real browser: Debian's Chromium without a window, signed in to a test's n8n. */
import fs from 'node:fs';
import path from 'node:path';
import { type Browser, chromium, type Page, selectors } from 'playwright-core';
import type { TestN8n } from './n8n';

const PROGRAM = '/usr/bin/chromium';
const ROOT = path.resolve(__dirname, '../..');
/** On a busy machine n8n's editor needs some seconds for what takes none otherwise. */
const STEP_MS = 60_000;
/** What a page of the docs loads at once. */
const PICTURE_BYTES = 150_000;

/** Size of a page in CSS pixels. */
export interface Size {
	width: number;
	height: number;
}

/** A part of a page in CSS pixels, from its upper left corner. */
export interface Box extends Size {
	x: number;
	y: number;
}

export async function startBrowser(): Promise<Browser> {
	// n8n's editor names its elements by this attribute.
	selectors.setTestIdAttribute('data-test-id');
	// Chromium's sandbox does not work for root, as which containers run tests. The pages are our own.
	return await chromium.launch({ executablePath: PROGRAM, chromiumSandbox: process.getuid?.() !== 0 });
}

/** Opens a page of its own, with no cookies of others; it may use the clipboard. */
export async function openPage(browser: Browser, size: Size, theme: 'light' | 'dark' = 'light'): Promise<Page> {
	const permissions = ['clipboard-read', 'clipboard-write'];
	const context = await browser.newContext({
		viewport: size,
		colorScheme: theme,
		reducedMotion: 'reduce',
		permissions,
	});
	context.setDefaultTimeout(STEP_MS);
	return await context.newPage();
}

/** Signs a page in as the owner and shows n8n's first page. */
export async function signIn(page: Page, { server, login }: TestN8n): Promise<void> {
	const { email, password } = login;
	const data = { emailOrLdapLoginId: email, password };
	const response = await page.request.post(`${server.url}/rest/login`, { data });
	if (!response.ok()) throw new Error(`n8n refuses its owner: ${response.status()} ${await response.text()}`);
	await page.goto(server.url);
}

/**
 * Takes a picture and, where `npm run pictures` asked for it, stores it among the docs.
 * @param file below the checkout
 * @param clip the part of the page to show; default: all that is in view
 * @throws Error when it is too large for the docs
 */
export async function takePicture(page: Page, file: string, clip?: Box): Promise<void> {
	const picture = await page.screenshot({ clip, animations: 'disabled', caret: 'hide' });
	if (picture.length > PICTURE_BYTES)
		throw new Error(`${file} would have ${picture.length} bytes; at most ${PICTURE_BYTES} are for the docs`);
	if (process.env.PICTURES !== '1') return;
	const target = path.join(ROOT, file);
	fs.mkdirSync(path.dirname(target), { recursive: true });
	fs.writeFileSync(target, picture);
}
