/** The page: what it says, that nothing breaks out of it, and how it looks in a real browser. */
import fs from 'node:fs';
import type { Browser } from 'playwright-core';
import { Repository } from '../../../core/records/repository';
import { type BackupInStorage, readBackup } from '../../../core/report/status/backup';
import { backupAskedFor, renderPage, renderWhole } from '../../../core/report/status/page/page';
import type { Status } from '../../../core/report/status/status';
import { MemoryStorage } from '../../../core/storage/memory';
import { openPage, startBrowser, takePicture } from '../../support/browser';
import { buildBackup, GROUP } from '../../support/build-backup';
import { HOSTILE, madeStatus } from '../../support/status-history';

const timeZone = 'Europe/Vienna';
let status: Status;
let browser: Browser;
beforeAll(async () => {
	status = await madeStatus(['postgres/billing', ...HOSTILE]);
	browser = await startBrowser();
});
afterAll(async () => await browser?.close());

const page = (query: Record<string, unknown> = {}) => renderPage(status, { timeZone, query });

it('says the answer first, then every source, worst first', () => {
	const text = page();
	expect(text).toMatch(/<h1>\s*3 of 9 sources can be restored\./);
	const names = [...text.matchAll(/<h3>\s*<a[^>]*>\s*([^<]+?)\s*<\/a/g)].map(([, name]) => name);
	expect(names.slice(-3)).toEqual(['config/server', 'files/acme', 'postgres/shop']);
	expect(text).toContain('usually there is one every 24 hours');
	expect(text).toContain('3 of the last 10 backups are not in file:///mnt/offsite');
});

it('no value breaks out of its place, on any page', () => {
	const pages = [page(), ...status.groups.map(({ group }) => page({ group, filter: '"><script>', page: '1e9' }))];
	for (const text of pages) {
		expect(text).not.toMatch(/<script|<img|javascript:/);
	}
	expect(pages.filter((text) => text.includes('\u001b') || text.includes('\u202e'))).toEqual([]);
	expect(page()).toContain('evil/&lt;script&gt;alert(1)&lt;/script&gt;');
});

it('a group has a page with filters and pages, by plain links', () => {
	const all = page({ group: 'postgres/shop' });
	expect([...all.matchAll(/<tr>\s*<td/g)]).toHaveLength(20);
	expect(all).toContain('href="?group=postgres%2Fshop&amp;filter=bad&amp;page=1"');
	expect([...page({ group: 'postgres/shop', page: '2' }).matchAll(/<tr>\s*<td/g)]).toHaveLength(4);
	expect(page({ group: 'postgres/shop', filter: 'bad' })).toContain('None.');
	expect(page({ group: ['x'] })).toContain('<h2>Sources</h2>');
});

/** A backup in two storages, one of which has lost it, with all that can be told of one. */
async function madePlaces(label: string): Promise<BackupInStorage[]> {
	const hostile = '<img src=x onerror=alert(1)>"\u202e';
	const repository = await Repository.open(new MemoryStorage('file:///backups'), { create: true });
	const built = await buildBackup(repository, { bytes: 1000, verified: 'restored', tags: ['night'] });
	const place = await readBackup(repository, { group: GROUP, label: built }, new AbortController().signal);
	const manifest = { ...place.manifest!, label, warnings: [hostile], parents: [built] };
	const failed = { at: 1, depth: 'stored' as const, ok: false, evidence: null };
	const nothing = { entry: null, manifest: null, checked: false, verifications: [], problem: null };
	return [
		{ ...place, manifest, verifications: [...place.verifications, failed] },
		{ ...nothing, storage: hostile },
	];
}

it('a backup has a page: facts, places, verifications, digests, and the commands that bring it back', async () => {
	const group = 'postgres/shop';
	const label = status.groups.find((each) => each.group === group)!.history.at(-1)!.label;
	expect(page({ group })).toContain(`href="?group=postgres%2Fshop&amp;label=${label}"`);
	const places = await madePlaces(label);
	const text = renderPage(status, { timeZone, query: { group, label }, places });
	expect(text).toContain(`<span>${label}</span>`);
	expect(text).toContain('NO: whoever reads the storage reads the data');
	expect(text).toContain('not checked: the credential names no trusted signers');
	expect(text).toMatch(/<dt>file:\/\/\/backups<\/dt>\s*<dd>\d\.\d kB; tags: night<\/dd>/);
	expect(text).toMatch(/<dd>not there<\/dd>/);
	expect(text).toContain('its record cannot be read, or is not of a trusted signer');
	const { stored } = places[0]!.manifest!.parts[0]!;
	expect(text).toContain(`echo &#39;${stored.sha256}  dump.sql.zst&#39; | sha256sum --check`);
	// Never into psql as it is: a dump can start programs.
	expect(text).toContain('cat dump.sql.zst | zstd -d &gt; dump.sql');
	expect(text).toContain(`restore &#39;postgres/shop/${label}&#39;`);
	expect(text).not.toMatch(/<img|\u202e/);
	expect(text).toContain('href="?group=postgres%2Fshop"');

	const wal = {
		...places[0]!,
		manifest: { ...places[0]!.manifest!, source: { ...places[0]!.manifest!.source, kind: 'wal' } },
	};
	expect(renderPage(status, { timeZone, query: { group, label }, places: [wal] })).not.toContain(
		'n8n-nodes-backup restore',
	);

	// A backup that no storage has, an invalid label, and an unknown group.
	expect(renderPage(status, { timeZone, query: { group, label } })).toContain('No storage has it.');
	for (const query of [
		{ group, label: '../../etc' },
		{ group, label: [label] },
	]) {
		expect(page(query)).toContain('<caption>');
		expect(backupAskedFor(status, query)).toBeNull();
	}
	expect(backupAskedFor(status, { group: 'postgres/none', label })).toBeNull();
});

it('all of it is one document for a file, with every backup, whose links lead within it', () => {
	const text = renderWhole(status, { timeZone });
	expect(text.match(/<article /g)).toHaveLength(status.groups.length);
	const links = [...text.matchAll(/href="#([^"]*)"/g)].map(([, id]) => id!).filter((id) => id !== '');
	expect(new Set(links).size).toBe(status.groups.length);
	for (const id of links) expect(text).toContain(`<article id="${id}"`);
	const shop = /<article id="[^"]*">(?:(?!<\/article>).)*<span>postgres\/shop<\/span>.*?<\/article>/s.exec(text)![0];
	expect([...shop.matchAll(/<tr>\s*<td/g)]).toHaveLength(24);
	expect(text).not.toContain('href="?');
});

it('has buttons for who proves to be somebody, each with a token of its own, by what can be done with the kind', () => {
	const caller = 'Basic YWRtaW46c2VjcmV0';
	const buttonsOf = (group: string) =>
		[
			...renderPage(status, { timeZone, query: { group }, caller }).matchAll(/<button name="button" value="(\w+)"/g),
		].map(([, button]) => button);
	expect(buttonsOf('postgres/shop')).toEqual(['backup', 'verify', 'drill']);
	const hasWorkflow = (group: string) => group === 'postgres/billing';
	const mapped = renderPage(status, { timeZone, query: { group: 'postgres/billing' }, caller, hasWorkflow });
	expect([...mapped.matchAll(/<button name="button" value="(\w+)"/g)].map(([, button]) => button)).toEqual(['backup']);
	// Nobody knows yet of which kind it is, and no workflow backs it up.
	expect(buttonsOf('postgres/billing')).toEqual([]);
	const text = renderPage(status, { timeZone, query: { group: 'postgres/shop', pressed: 'yes' }, caller });
	expect(text).toContain('Accepted.');
	expect(text).toContain('http-equiv="refresh"');
	const tokens = [...text.matchAll(/name="token" value="([^"]+)"/g)].map(([, token]) => token);
	expect(new Set(tokens).size).toBe(3);
	expect(text).not.toContain(caller);
	expect(page({ group: 'postgres/shop' })).not.toContain('<form');
	expect(renderWhole(status, { timeZone })).not.toContain('<form');
});

it('renews itself while something runs, until somebody says no', () => {
	const run = { id: 'r', verb: 'backup', group: 'postgres/shop', host: 'n8n', startedAt: status.at, silentMs: 1000 };
	const running = { ...status, running: [{ ...run, phase: 'storing', bytes: 500, totalBytes: 1000 }] };
	const text = renderPage(running, { timeZone });
	expect(text).toContain('http-equiv="refresh"');
	expect(text).toContain('aria-label="50 % done"');
	expect(renderPage(running, { timeZone, query: { refresh: 'no' } })).not.toContain('http-equiv="refresh"');
	expect(page()).not.toContain('http-equiv="refresh"');
});

it('fifty groups make a page of less than 300 kB in less than 0.3 seconds', () => {
	const shop = status.groups.find(({ group }) => group === 'postgres/crm')!;
	const groups = Array.from({ length: 50 }, (_, number) => ({ ...shop, group: `postgres/db${number}` }));
	const many = { ...status, groups };
	renderPage(many, { timeZone });
	const began = performance.now();
	const bytes = Buffer.byteLength(renderPage(many, { timeZone }));
	expect(performance.now() - began).toBeLessThan(300);
	expect(bytes).toBeLessThan(300_000);
});

describe.each(['light', 'dark'] as const)('in a browser, %s', (theme) => {
	it.each([390, 820, 1400])('%i pixels wide: nothing overflows, and axe finds nothing', async (width) => {
		const open = await openPage(browser, { width, height: 900 }, theme);
		try {
			const group = 'postgres/shop';
			const label = status.groups.find((each) => each.group === group)!.history.at(-1)!.label;
			const places = await madePlaces(label);
			for (const query of [{}, { group }, { group, label }]) {
				await open.setContent(renderPage(status, { timeZone, query, places, caller: 'somebody' }));
				expect(await open.evaluate('document.querySelectorAll("script, img, iframe, [onerror]").length')).toBe(0);
				// What a style forgets is there, and nobody sees it.
				const squares = await open.evaluate<number[]>(
					'Array.from(document.querySelectorAll(".calendar rect"), (each) => each.getBoundingClientRect().width)',
				);
				const shown = status.groups.filter((each) => !('label' in query) && each.group === (query.group ?? each.group));
				expect(squares).toHaveLength(shown.reduce((sum, { days }) => sum + days.length, 0));
				expect(Math.min(...squares)).toBeGreaterThan(3);
				const overflow = await open.evaluate('document.documentElement.scrollWidth - innerWidth');
				expect(overflow).toBeLessThanOrEqual(0);
				await open.evaluate(fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
				const found = await open.evaluate(
					'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes[0].html))',
				);
				expect(found).toEqual([]);
			}
			if (width === 1400) {
				await open.setViewportSize({ width: 1080, height: 700 });
				await open.setContent(renderPage(await madeStatus(['postgres/billing']), { timeZone }));
				await takePicture(open, `docs/images/dashboard-${theme}.png`);
			}
		} finally {
			await open.context().close();
		}
	});
});
