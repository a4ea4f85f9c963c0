/** What nobody trusted has signed takes no place: attacks of somebody who can write to the storage, and knows public keys. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { generateIdentity } from '../../core/codecs/age/keys';
import { generateSigningKey, parseSigningKey } from '../../core/codecs/sshsig/keys';
import { type Authority, parseSigners } from '../../core/records/authority';
import { type Evidence, evidenceName, formatEvidence } from '../../core/records/evidence';
import { createLabel } from '../../core/records/label';
import { objectKey } from '../../core/records/layout';
import type { Manifest } from '../../core/records/manifest';
import { Repository } from '../../core/records/repository';
import { writeText } from '../../core/records/small-objects';
import { registerKind } from '../../core/sources/registry';
import { MemoryStorage } from '../../core/storage/memory';
import { backUp } from '../../core/verbs/backup/backup';
import { copyBackup, copyMissing } from '../../core/verbs/copy/copy';
import { applyRetention } from '../../core/verbs/expire/expire';
import { pinBackup } from '../../core/verbs/pin/pins';
import { chooseForRestore, restoreBackup } from '../../core/verbs/restore/restore';
import { newestReadable, verifyBackup } from '../../core/verbs/verify/verify';
import { noteDrill, noteKind, noteRestorer, noteSource } from '../support/note-kind';

const GROUP = 'notes/diary';
const NEVER = new AbortController().signal;
const DAY_MS = 24 * 3_600_000;

registerKind(noteKind);

const pair = generateSigningKey('n8n-backup');
const signingKey = parseSigningKey(pair.secret);
const trusting = (key: Authority['key'] = signingKey): Authority => ({ key, signers: parseSigners(pair.publicKey) });

let folder: string;
let storage: MemoryStorage;
/** Of those who know whom to trust. */
let repository: Repository;
/** Of whoever has keys to the storage, and nothing else. */
let attacker: Repository;
let keys: { identities: string[] };
let recipient: string;
let real: Manifest;
beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), 'authority-'));
	storage = new MemoryStorage();
	const age = await generateIdentity();
	keys = { identities: [age.identity] };
	recipient = age.recipient;
	real = await back('the truth', trusting());
	repository = await Repository.open(storage, { authority: trusting() });
	attacker = await Repository.open(storage);
});
afterEach(() => rmSync(folder, { recursive: true }));

async function back(text: string, authority?: Authority): Promise<Manifest> {
	writeFileSync(join(folder, 'note'), text);
	const request = { storage, group: GROUP, source: noteSource(join(folder, 'note')), signal: NEVER, authority };
	return (await backUp({ ...request, encryption: { recipients: [recipient] } })).manifest;
}

/** A backup of the attacker's own: whole, encrypted to the public key, with a right manifest, and newer. */
async function plant(change: Partial<Manifest> = {}, at = new Date(Date.now() + 60_000)): Promise<string> {
	const own = new MemoryStorage();
	writeFileSync(join(folder, 'note'), 'a lie');
	const source = noteSource(join(folder, 'note'));
	const request = { storage: own, group: GROUP, source, encryption: { recipients: [recipient] }, signal: NEVER };
	const { manifest } = await backUp(request);
	const label = createLabel('full', at);
	for (const { name } of manifest.parts) {
		await storage.write(objectKey(GROUP, label, name), await own.read(objectKey(GROUP, manifest.label, name)));
	}
	await attacker.writeManifest({ ...manifest, label, startedAt: at.toISOString(), ...change });
	return label;
}

const choose = async () => await chooseForRestore(repository, await repository.list(GROUP), { kind: 'newest' });
const restored = async (label: string, from = repository) =>
	await restoreBackup({
		...{ repository: from, group: GROUP, label, keys, signal: NEVER },
		restorer: noteRestorer(join(folder, 'restored')),
	});
const verified = async (label: string, from = repository) =>
	await verifyBackup({
		...{ repository: from, group: GROUP, label, depth: 'restored', keys, signal: NEVER },
		drills: [noteDrill()],
	});

describe('what is signed', () => {
	it('is verified by hand with ssh-keygen, the manifest and the evidence', async () => {
		const { evidence } = await verified(real.label);
		writeFileSync(join(folder, 'allowed_signers'), `n8n-backup ${pair.publicKey}\n`);
		for (const [name, namespace] of [
			['manifest.json', 'n8n-backup-manifest'],
			[evidence!, 'n8n-backup-evidence'],
		] as const) {
			const signature = join(folder, `${name}.sig`);
			const key = objectKey(GROUP, real.label, name);
			writeFileSync(signature, await buffer(await storage.read(`${key}.sig`)));
			const args = ['-Y', 'verify', '-f', join(folder, 'allowed_signers'), '-I', 'n8n-backup', '-n', namespace];
			const input = await buffer(await storage.read(key));
			expect(execFileSync('ssh-keygen', [...args, '-s', signature], { input }).toString()).toContain('Good');
		}
	});

	it('is restored, verified and copied, and the copy is as well', async () => {
		expect(await choose()).toEqual({ label: real.label, warnings: [] });
		expect(await restored(real.label)).toMatchObject({ authentic: true, warnings: [], backedUpAt: real.startedAt });
		expect(await verified(real.label)).toMatchObject({ outcome: 'ok', authentic: true });
		const to = new MemoryStorage('memory:elsewhere');
		const copy = await copyBackup({ from: repository, to, group: GROUP, label: real.label, signal: NEVER });
		expect(copy).toMatchObject({ status: 'copied', authentic: true });
		const there = await Repository.open(to, { authority: trusting() });
		expect(await restored(real.label, there)).toMatchObject({ authentic: true });
		// Its evidence there is signed too, so that nothing is left to copy.
		expect(await copyMissing({ from: repository, to, signal: NEVER })).toEqual([]);
	});

	it('is locked with its signature, without which it would be nobody’s', async () => {
		const locked: string[] = [];
		const protection = { extend: async (key: string) => void locked.push(key), until: async () => null };
		const locking = new Proxy(new MemoryStorage(), {
			get(target, name) {
				if (name === 'protection') return protection;
				if (name === 'write') {
					return async (key: string, body: Readable, options: object) =>
						await target.write(key, body, { ...options, protect: undefined });
				}
				const value: unknown = Reflect.get(target, name);
				return typeof value === 'function' ? (value.bind(target) as unknown) : value;
			},
		});
		const protect = { mode: 'governance', until: new Date(Date.now() + DAY_MS) } as const;
		const source = noteSource(join(folder, 'note'));
		const common = { storage: locking, group: GROUP, source, encryption: null, protect, signal: NEVER };
		const { manifest } = await backUp({ ...common, authority: trusting() });
		const key = objectKey(GROUP, manifest.label, 'manifest.json');
		expect(locked).toEqual([key, `${key}.sig`]);
	});

	it('says that nothing was checked where nobody is trusted by name', async () => {
		expect(await restored(real.label, attacker)).toMatchObject({ authentic: false, warnings: [] });
		expect(await verified(real.label, attacker)).toMatchObject({ outcome: 'ok', authentic: false });
	});
});

describe('a planted backup', () => {
	const MADE = {
		'that looks right': async () => await plant(),
		'of a time to come': async () => await plant({}, new Date('9999-01-01T00:00:00Z')),
		'that somebody else signed': async () => {
			const label = await plant();
			const key = objectKey(GROUP, label, 'manifest.json');
			await storage.remove(key);
			const other = parseSigningKey(generateSigningKey().secret);
			const forger = await Repository.open(storage, { authority: { key: other, signers: null } });
			await forger.writeManifest({ ...real, label, startedAt: new Date(Date.now() + 60_000).toISOString() });
			return label;
		},
		'with the signature of a real one': async () => {
			const label = await plant();
			const signature = await buffer(await storage.read(objectKey(GROUP, real.label, 'manifest.json.sig')));
			await storage.write(objectKey(GROUP, label, 'manifest.json.sig'), Readable.from([signature]));
			return label;
		},
	};

	it.each(Object.entries(MADE))('%s is not the newest, and is refused by its name', async (_, make) => {
		const label = await make();
		expect((await choose()).label).toBe(real.label);
		const code = expect.stringMatching(/^(?:unsigned|bad-signature|unknown-signer)$/);
		await expect(restored(label)).rejects.toMatchObject({ code, hint: expect.any(String) });
		expect(await verified(label)).toMatchObject({ outcome: 'environment', code, evidence: null });
		const to = new MemoryStorage('memory:elsewhere');
		expect(await copyBackup({ from: repository, to, group: GROUP, label, signal: NEVER })).toMatchObject({
			status: 'failed',
			code,
		});
	});

	it('is named by a restore and a verification of the newest', async () => {
		const label = await plant();
		expect((await choose()).warnings).toEqual([expect.stringContaining(`${label} is newer, and was passed over`)]);
		const looked = await newestReadable(repository, await repository.list());
		expect(looked.map((each) => each.label)).toEqual([real.label, label]);
	});

	it('is taken when it is allowed by its name, with a warning', async () => {
		const label = await plant();
		const allowing = repository.allowing(GROUP, label);
		expect(await restored(label, allowing)).toMatchObject({
			authentic: false,
			warnings: [expect.stringMatching(/^restored because it was allowed by name: .* is not signed$/)],
		});
		expect(await verified(label, allowing)).toMatchObject({ outcome: 'ok', authentic: false });
		const to = new MemoryStorage('memory:elsewhere');
		expect(await copyBackup({ from: allowing, to, group: GROUP, label, signal: NEVER })).toMatchObject({
			...{ status: 'copied', authentic: false },
		});
		await expect(restored(await plant(), allowing)).rejects.toMatchObject({ code: 'unsigned' });
	});

	it('is nothing that the next backup names as the one before', async () => {
		await plant();
		expect((await back('more truth', trusting())).previous).toMatchObject({ label: real.label });
	});

	it('is refused where a real one was moved to another group or another time', async () => {
		const text = await buffer(await storage.read(objectKey(GROUP, real.label, 'manifest.json')));
		const signature = await buffer(await storage.read(objectKey(GROUP, real.label, 'manifest.json.sig')));
		for (const [group, label] of [
			['notes/other', real.label],
			[GROUP, createLabel('full', new Date(Date.now() + 60_000))],
		] as const) {
			await storage.write(objectKey(group, label, 'manifest.json'), Readable.from([text]));
			await storage.write(objectKey(group, label, 'manifest.json.sig'), Readable.from([signature]));
			await expect(repository.readManifest(group, label)).rejects.toMatchObject({ code: 'invalid-manifest' });
		}
		expect((await choose()).label).toBe(real.label);
		// Its text changed as well, it is not what was signed.
		const label = createLabel('full', new Date(Date.now() + 60_000));
		await attacker.writeManifest({ ...real, label });
		await storage.write(objectKey(GROUP, label, 'manifest.json.sig'), Readable.from([signature]));
		await expect(repository.readManifest(GROUP, label)).rejects.toMatchObject({ code: 'bad-signature' });
	});
});

describe('forged words beside a backup', () => {
	async function forge(ok: boolean, at = new Date()): Promise<void> {
		const { text } = await attacker.readManifestText(GROUP, real.label);
		const evidence: Evidence = {
			...{ format: 1, program: real.program, group: GROUP, label: real.label, depth: 'restored', facts: {} },
			...{ outcome: ok ? 'ok' : 'failed', startedAt: at.toISOString(), finishedAt: at.toISOString() },
			manifestSha256: createHash('sha256').update(text).digest('hex'),
			failure: ok ? null : { code: 'damaged', message: 'a lie' },
		};
		await writeText(storage, objectKey(GROUP, real.label, evidenceName(evidence)), formatEvidence(evidence));
	}
	const retention = async (from = repository) =>
		await applyRetention({ repository: from, group: GROUP, policy: { last: 1, minimum: 1 }, signal: NEVER });

	it('that it is proved justify no removal', async () => {
		await forge(true);
		// Later than the evidence's own second.
		await new Promise((resolve) => setTimeout(resolve, 1100));
		await back('later', trusting());
		expect(await retention()).toMatchObject({ removed: [], plan: { blocked: [{ risk: 'unverified' }] } });
	});

	it('that it is bad do not make it bad', async () => {
		await forge(false);
		expect(await choose()).toEqual({ label: real.label, warnings: [] });
	});

	it('that it is pinned keep it, and do nothing else', async () => {
		await verified(real.label);
		await writeText(storage, objectKey(GROUP, real.label, 'pin.json'), '{}');
		await new Promise((resolve) => setTimeout(resolve, 1100));
		const next = await back('later', trusting());
		await verified(next.label);
		expect((await retention()).removed).toEqual([]);
		expect((await choose()).label).toBe(next.label);
	});
});

it('retention removes nothing for the sake of backups that nobody trusted has signed', async () => {
	await verified(real.label);
	for (let n = 1; n <= 3; n++) await plant({}, new Date(Date.now() - n * 1000 + 4000));
	const result = await applyRetention({ repository, group: GROUP, policy: { last: 1, minimum: 1 }, signal: NEVER });
	expect(result.removed).toEqual([]);
	expect(result.plan.backups.find(({ label }) => label === real.label)).toMatchObject({ action: 'keep' });
});

describe('a signing key that was exchanged', () => {
	const other = generateSigningKey();
	const day = (offset: number) =>
		`${new Date(Date.now() + offset * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}Z`;

	it('counts for what was made while it was valid', async () => {
		const signers = (until: number) =>
			parseSigners(`n8n-backup valid-before="${day(until)}" ${pair.publicKey}\n${other.publicKey}`);
		const opened = async (until: number) =>
			await Repository.open(storage, { authority: { key: parseSigningKey(other.secret), signers: signers(until) } });
		expect(await (await opened(2)).readManifest(GROUP, real.label)).toMatchObject({ label: real.label });
		await expect((await opened(-2)).readManifest(GROUP, real.label)).rejects.toMatchObject({
			code: 'unknown-signer',
			message: expect.stringContaining('was not valid at'),
		});
	});

	it('may not sign for another purpose', async () => {
		const signers = parseSigners(`n8n-backup namespaces="git" ${pair.publicKey}`);
		const opened = await Repository.open(storage, { authority: { key: null, signers } });
		await expect(opened.readManifest(GROUP, real.label)).rejects.toMatchObject({ code: 'unknown-signer' });
	});
});

it('without any key all works, and nothing is signed', async () => {
	const plain = new MemoryStorage();
	writeFileSync(join(folder, 'note'), 'text');
	const source = noteSource(join(folder, 'note'));
	const { manifest } = await backUp({ storage: plain, group: GROUP, source, encryption: null, signal: NEVER });
	const opened = await Repository.open(plain);
	expect(await restored(manifest.label, opened)).toMatchObject({ authentic: false, warnings: [] });
	await pinBackup({ repository: opened, group: GROUP, label: manifest.label, signal: NEVER });
	for await (const { key } of plain.list('')) expect(key).not.toMatch(/\.sig$/);
});

it('trusted signers are public keys or lines of an allowed_signers file, and never nobody', () => {
	expect(parseSigners(`# ours\n${pair.publicKey}\n\nme@here ${pair.publicKey}\n`)).toHaveLength(2);
	expect(() => parseSigners('# nobody\n')).toThrow(expect.objectContaining({ code: 'invalid-input' }));
	expect(() => parseSigners(pair.secret)).toThrow(
		expect.objectContaining({ message: expect.not.stringContaining('BEGIN') }),
	);
});
