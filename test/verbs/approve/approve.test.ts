/** A source that lost much: its backups say so, retention holds back what may be the last good ones, until a person approves. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSigningKey, parseSigningKey } from '../../../core/codecs/sshsig/keys';
import { type Authority, NO_AUTHORITY, parseSigners } from '../../../core/records/authority';
import { readRuns } from '../../../core/records/journal/runs';
import { objectKey } from '../../../core/records/layout';
import type { Manifest } from '../../../core/records/manifest';
import { Repository } from '../../../core/records/repository';
import { readText, writeText } from '../../../core/records/small-objects';
import { readStorage } from '../../../core/report/status/read';
import { judge } from '../../../core/report/status/status';
import { registerKind } from '../../../core/sources/registry';
import { MemoryStorage } from '../../../core/storage/memory';
import { approveBackup } from '../../../core/verbs/approve/approve';
import { backUp } from '../../../core/verbs/backup/backup';
import { copyBackup } from '../../../core/verbs/copy/copy';
import { applyRetention } from '../../../core/verbs/expire/expire';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { noteKind, noteSource } from '../../support/note-kind';
import { keysOf, NEVER } from '../../support/dated-backups';

registerKind(noteKind);

const GROUP = 'notes/diary';
const POLICY = { last: 1, minimum: 1, allow: ['outdated' as const] };

const pair = generateSigningKey('n8n-backup');
const signing: Authority = { key: parseSigningKey(pair.secret), signers: parseSigners(pair.publicKey) };

let folder: string;
let storage: MemoryStorage;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'approve-'));
	storage = new MemoryStorage();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Backs up a note of so many lines, and verifies what was stored. */
async function back(lines: number, authority = NO_AUTHORITY): Promise<Manifest> {
	writeFileSync(join(folder, 'diary'), Array.from({ length: lines }, (_, line) => `line ${line}`).join('\n'));
	const source = noteSource(join(folder, 'diary'));
	const { manifest } = await backUp({
		...{ storage, group: GROUP, source, encryption: null, authority },
		signal: NEVER,
	});
	const repository = await opened(authority);
	const { label } = manifest;
	await verifyBackup({ repository, group: GROUP, label, depth: 'stored', keys: null, signal: NEVER });
	return manifest;
}

const opened = async (authority = NO_AUTHORITY, of = storage) => await Repository.open(of, { authority });
const approve = async ({ label }: Manifest, { authority = NO_AUTHORITY, reason = '' } = {}) =>
	await approveBackup({ repository: await opened(authority), group: GROUP, label, reason, signal: NEVER });
const expire = async (authority = NO_AUTHORITY, of = storage) =>
	await applyRetention({ repository: await opened(authority, of), group: GROUP, policy: POLICY, signal: NEVER });
const labels = async () => (await (await opened()).list(GROUP)).map(({ label }) => label);

async function reasons(): Promise<string[]> {
	const now = new Date();
	const facts = await readStorage(await opened(), { now, signal: NEVER });
	const [group] = judge([facts], { now }).groups;
	// Made within a second, they are late and unproved by what is usual.
	const about = group!.reasons.filter(({ code }) => code === 'shrunk');
	return about.map(({ code, severity, text }) => `${code} ${severity}: ${text}`);
}

describe('a source that lost much', () => {
	it('is said in the manifest, in a warning and in the status, and nothing expires until a person approves', async () => {
		const [old, full] = [await back(9), await back(10)];
		const small = await back(4);
		const said = { what: 'lines', from: 10, to: 4, since: full.label, shownBy: small.label };
		expect(small.shrunk).toEqual([said]);
		expect(small.warnings).toEqual([`60 % of the lines are gone since ${full.label}: 4 now, 10 then`]);
		expect(await reasons()).toEqual([
			`shrunk warning: ${small.label} has 4 lines, and ${full.label} had 10; nobody has approved that`,
		]);
		const held = await expire();
		expect(held).toMatchObject({ removed: [], held: { backups: 2 }, plan: { blocked: [{ risk: 'shrunk' }] } });
		expect(await approve(small, { reason: ' it was cleaned up ' })).toEqual({
			...{ group: GROUP, label: small.label, changed: true, warnings: [] },
			approved: [`60 % of the lines are gone since ${full.label}: 4 now, 10 then`],
		});
		const text = await readText(storage, objectKey(GROUP, small.label, 'approved.json'));
		expect(JSON.parse(text)).toMatchObject({ group: GROUP, label: small.label, reason: 'it was cleaned up' });
		expect(await reasons()).toEqual([]);
		expect(await approve(small)).toMatchObject({ changed: false, approved: [] });
		expect((await expire()).removed.sort()).toEqual([old.label, full.label].sort());
		const runs = await readRuns(storage, { from: new Date(0), to: new Date('2100-01-01') });
		expect(runs.filter(({ verb }) => verb === 'approve')).toMatchObject([
			{ state: 'ok', label: small.label, facts: { changed: true } },
			{ state: 'ok', facts: { changed: false } },
		]);
	});

	it('is said again by every later backup, although that lost nothing, and by none after the approval', async () => {
		await back(10);
		const small = await back(4);
		const same = await back(4);
		expect(same.shrunk).toEqual(small.shrunk);
		expect(same.warnings).toEqual([]);
		await back(12);
		expect(await expire()).toMatchObject({ removed: [], plan: { blocked: [{ risk: 'shrunk' }] } });
		await approve(small);
		expect(await expire()).toMatchObject({ plan: { blocked: [] } });
		const after = await back(5);
		expect(after.shrunk).toMatchObject([{ from: 12, to: 5, shownBy: after.label }]);
		await approve(after);
		expect((await back(5)).shrunk).toBeUndefined();
	});

	it('and lost more afterwards needs a word about that too', async () => {
		const full = await back(100);
		const small = await back(40);
		const tiny = await back(4);
		expect(tiny.shrunk).toEqual([{ what: 'lines', from: 40, to: 4, since: small.label, shownBy: tiny.label }]);
		expect(await reasons()).toEqual([expect.stringMatching(/^shrunk critical: .* has 4 lines, and .* had 40/)]);
		expect((await approve(small)).warnings).toEqual([
			`not approved yet: 90 % of the lines are gone since ${small.label}: 4 now, 40 then; approve ${tiny.label} if that is right too`,
		]);
		expect(await expire()).toMatchObject({ removed: [] });
		expect((await approve(tiny)).warnings).toEqual([]);
		expect((await expire()).removed).toContain(full.label);
	});

	it('holds back in a copy as well, until the next backup, which need not say it any more', async () => {
		const [full, small] = [await back(10), await back(4)];
		const to = new MemoryStorage('memory:elsewhere');
		for (const { label } of [full, small]) {
			await copyBackup({ from: await opened(), to, group: GROUP, label, signal: NEVER });
		}
		await approve(small);
		expect(await expire(NO_AUTHORITY, to)).toMatchObject({ removed: [], plan: { blocked: [{ risk: 'shrunk' }] } });
		const { label } = await back(4);
		await copyBackup({ from: await opened(), to, group: GROUP, label, signal: NEVER });
		expect(await expire(NO_AUTHORITY, to)).toMatchObject({ removed: expect.arrayContaining([full.label]) });
	});

	it('is no matter within the share that may be lost, nor for the first backup', async () => {
		expect((await back(10)).shrunk).toBeUndefined();
		expect((await back(5)).shrunk).toBeUndefined();
	});
});

describe('an approval', () => {
	it('is signed, and one that nobody trusted has signed does not count', async () => {
		const [full, small] = [await back(10, signing), await back(4, signing)];
		// Whoever has keys to the storage and nothing else.
		await approve(small);
		expect(await expire(signing)).toMatchObject({ removed: [], plan: { blocked: [{ risk: 'shrunk' }] } });
		expect(await approve(small, { authority: signing })).toMatchObject({ changed: true });
		expect(await keysOf(await opened(), `${GROUP}/${small.label}/approved`)).toEqual([
			`${GROUP}/${small.label}/approved.json`,
			`${GROUP}/${small.label}/approved.json.sig`,
		]);
		expect((await expire(signing)).removed).toEqual([full.label]);
	});

	it('that was moved from another backup, or is damaged, does not count, and can be made again', async () => {
		const [full, small] = [await back(10), await back(4)];
		await approve(full);
		const key = (label: string) => objectKey(GROUP, label, 'approved.json');
		await writeText(storage, key(small.label), await readText(storage, key(full.label)));
		expect(await expire()).toMatchObject({ removed: [] });
		await storage.remove(key(small.label));
		await writeText(storage, key(small.label), '{ "format": 1 }');
		expect(await expire()).toMatchObject({ removed: [] });
		expect(await approve(small)).toMatchObject({ changed: true });
		expect((await expire()).removed).toEqual([full.label]);
	});

	it('is refused without a key where signatures are looked at', async () => {
		await back(10, signing);
		const small = await back(4, signing);
		const authority = { ...signing, key: null };
		await expect(approve(small, { authority })).rejects.toMatchObject({
			...{ code: 'invalid-input', hint: expect.stringContaining('--signing-key') },
		});
		expect(await keysOf(await opened(), `${GROUP}/${small.label}/approved`)).toEqual([]);
	});

	it.each([
		['a backup that is not there', { label: '20200101T000000Z-full-aaaa' }, 'not-found'],
		['what is no label', { label: 'newest' }, 'invalid-input'],
		['no usable reason', { reason: 'a\nb' }, 'invalid-input'],
	])('of %s is refused and leaves nothing', async (_, change, code) => {
		const { label } = await back(1);
		const before = await keysOf(await opened());
		const request = { repository: await opened(), group: GROUP, label, signal: NEVER, ...change };
		await expect(approveBackup(request)).rejects.toMatchObject({ code });
		expect(await keysOf(await opened())).toEqual(before);
		expect(await labels()).toEqual([label]);
	});

	it('is no manifest’s loss: what lies beside data whose manifest was lost was a backup', async () => {
		const { label } = await back(1);
		await approveBackup({ repository: await opened(), group: GROUP, label, signal: NEVER });
		await storage.remove(objectKey(GROUP, label, 'manifest.json'));
		const evidence = await keysOf(await opened(), `${GROUP}/${label}/verified-`);
		for (const key of evidence) await storage.remove(key);
		expect((await (await opened()).survey(GROUP)).leftovers).toMatchObject([{ label, lost: true }]);
	});
});
