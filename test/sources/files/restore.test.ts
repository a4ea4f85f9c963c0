/** Restores of archives: the same tree comes back, in whole or in part, and nothing is ever written outside of the target. */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { FilesContents } from '../../../core/sources/files/contents';
import { filesDrill, type FilesRestoreOptions, filesRestorer } from '../../../core/sources/files/restore/restorer';
import { generateIdentity } from '../../../core/codecs/age/keys';
import { Repository } from '../../../core/records/repository';
import { MemoryStorage } from '../../../core/storage/memory';
import type { OpenBackup } from '../../../core/sources/source';
import { openBackup } from '../../../core/verbs/open-backup';
import { restoreBackup } from '../../../core/verbs/restore/restore';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { ArchiveGroup, type Archived, GROUP, type RestoredFiles } from '../../support/archives';
import { createFolder, isRoot, removeFolder } from '../../support/folders';
import { ENTRY, hostileArchive } from '../../support/hostile-archive';
import { expectAlike, RandomTree, treeOf } from '../../support/trees';

const { signal } = new AbortController();

let folder: string;
let tree: string;
let group: ArchiveGroup;
let made: number;
beforeEach(() => {
	folder = createFolder('restore');
	tree = path.join(folder, 'tree');
	fs.mkdirSync(tree);
	group = new ArchiveGroup(tree);
	made = 0;
});
afterEach(() => removeFolder(folder));

function write(name: string, contents: string | Buffer = name): void {
	fs.mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
	fs.writeFileSync(path.join(tree, name), contents);
}

async function restore(
	backup: { label: string },
	options: Partial<FilesRestoreOptions> = {},
	{ of = group, under = signal }: { of?: ArchiveGroup; under?: AbortSignal } = {},
): Promise<RestoredFiles & { to: string }> {
	const to = options.to ?? path.join(folder, `restored-${made++}`);
	return { ...(await of.restore(backup, { ...options, to }, under)), to };
}

describe('a restore', () => {
	it('brings back what was there at any point of a chain of random edits, owners included', async () => {
		const random = new RandomTree(tree, 4711);
		const points: Array<{ backup: Archived; tree: string[] }> = [];
		for (const type of ['full', 'incremental', 'incremental', 'differential', 'incremental'] as const) {
			random.change(60);
			points.push({ backup: await group.back({ type }), tree: treeOf(tree) });
		}
		for (const { backup, tree: expected } of points) {
			const result = await restore(backup, { owners: 'numbers' });
			expect(result.comparison).toMatchObject({ ok: true, differences: [] });
			expectAlike(treeOf(path.join(result.to, tree)), expected);
		}
	}, 60_000);

	/** node:zlib gives some frames in memory of their own, and others as a part of a larger one. The former are handed to the thread. */
	it('goes by the places of bytes, whatever memory they come in', async () => {
		for (let n = 0; n < 40; n++) write(`file-${n}`, randomBytes(n * 501));
		const { manifest } = await group.back();
		const repository = await Repository.open(group.storage);
		const backup = await openBackup([manifest], { repository, keys: null, signal, stallTimeoutMs: 60_000 });
		const inOwnMemory = (bytes: Buffer) => Buffer.from(Uint8Array.from(bytes).buffer);
		const given: OpenBackup = {
			...backup,
			async open(part) {
				const whole = await buffer(await backup.open(part));
				const pieces = Array.from({ length: Math.ceil(whole.length / 10_000) }, (_, n) =>
					inOwnMemory(whole.subarray(n * 10_000, (n + 1) * 10_000)),
				);
				return Readable.from(pieces);
			},
		};
		const run = { signal, stallTimeoutMs: 60_000, onProgress: () => undefined, warn: () => undefined };
		const { comparison } = await filesDrill().run(given as OpenBackup<FilesContents>, run);
		expect(comparison).toMatchObject({ ok: true, figures: { files: 40, differences: 0 } });
	});

	it('makes a file of its own of each that shares its contents, and one of those that are one', async () => {
		for (const name of ['a', 'b/c', 'z']) {
			write(name, 'the same');
			fs.utimesSync(path.join(tree, name), 1, 1);
		}
		fs.linkSync(path.join(tree, 'z'), path.join(tree, 'zz'));
		const { to } = await restore(await group.back());
		const inode = (name: string) => fs.statSync(path.join(to, tree, name)).ino;
		expect(new Set(['a', 'b/c', 'z'].map(inode)).size).toBe(3);
		expect(inode('z')).toBe(inode('zz'));
	});

	it('finds shared contents also where the file that has them is not wanted', async () => {
		write('a', 'the same');
		write('b', 'the same');
		for (const name of ['a', 'b']) fs.utimesSync(path.join(tree, name), 1, 1);
		write('c', Buffer.alloc(3_000_000, 'c'));
		const { to } = await restore(await group.back(), { include: ['b'] });
		expect(fs.readdirSync(path.join(to, tree))).toEqual(['b']);
		expect(fs.readFileSync(path.join(to, tree, 'b'), 'utf8')).toBe('the same');
	});

	it('gives a name whose file has another one that is not wanted the contents, and never what has that other name', async () => {
		write('a', 'the contents');
		fs.linkSync(path.join(tree, 'a'), path.join(tree, 'b'));
		fs.linkSync(path.join(tree, 'a'), path.join(tree, 'c'));
		const backup = await group.back();
		const empty = await restore(backup, { include: ['b', 'c'] });
		expect(fs.readdirSync(path.join(empty.to, tree))).toEqual(['b', 'c']);
		expect(fs.readFileSync(path.join(empty.to, tree, 'b'), 'utf8')).toBe('the contents');
		expect(fs.statSync(path.join(empty.to, tree, 'b')).ino).toBe(fs.statSync(path.join(empty.to, tree, 'c')).ino);
		const to = path.join(folder, 'stale');
		fs.mkdirSync(path.join(to, tree), { recursive: true });
		fs.writeFileSync(path.join(to, tree, 'a'), 'stale matter');
		expect((await restore(backup, { to, include: ['b'], overwrite: true })).comparison.ok).toBe(true);
		expect(fs.readFileSync(path.join(to, tree, 'b'), 'utf8')).toBe('the contents');
		expect(fs.readFileSync(path.join(to, tree, 'a'), 'utf8')).toBe('stale matter');
	});

	it('takes patterns, folders and paths, and says when they name nothing', async () => {
		for (const name of ['www/index.html', 'www/css/a.css', 'log/a.log', 'log/b.log']) write(name);
		const backup = await group.back();
		const names = async (...include: string[]) => {
			const { to } = await restore(backup, { include });
			return fs.readdirSync(path.join(to, tree), { recursive: true }).sort();
		};
		expect(await names('*.log', '!b.log')).toEqual(['log', 'log/a.log']);
		expect(await names(`${tree}/www/`)).toEqual(['www', 'www/css', 'www/css/a.css', 'www/index.html']);
		expect(await names('index.html')).toEqual(['www', 'www/index.html']);
		await expect(names('nothing')).rejects.toMatchObject({ code: 'not-found' });
	});

	it('warns of patterns that name nothing beside others that do', async () => {
		for (const name of ['www/index.html', 'log/a.log', 'log/b.log']) write(name);
		const backup = await group.back();
		const warnings = async (...include: string[]) => (await restore(backup, { include })).warnings;
		expect(await warnings('index.html', '*.css', 'lgo/', '*.log', '!b.log')).toEqual([
			`nothing in ${GROUP}/${backup.label} has a name like *.css, lgo/: only what the other patterns name is restored`,
		]);
		expect(await warnings('index.html', '*.log', '!b.log')).toEqual([]);
	});

	it('writes nothing in a dry run, and says what it would', async () => {
		write('a');
		const { to, comparison, listed } = await restore(await group.back(), { dryRun: true });
		expect(fs.existsSync(to)).toBe(false);
		expect(comparison.says).toBe('1 file of 1 B in 1 folder would be restored');
		expect(listed).toEqual([tree.slice(1), `${tree.slice(1)}/a`]);
	});

	it('refuses a folder that is not empty, and replaces what is there only when told so', async () => {
		write('a', 'new');
		const backup = await group.back();
		const to = path.join(folder, 'full');
		fs.mkdirSync(path.join(to, tree), { recursive: true });
		fs.writeFileSync(path.join(to, tree, 'a'), 'old');
		fs.writeFileSync(path.join(to, tree, 'other'), 'stays');
		await expect(restore(backup, { to })).rejects.toMatchObject({ code: 'already-exists' });
		expect(fs.readFileSync(path.join(to, tree, 'a'), 'utf8')).toBe('old');
		await restore(backup, { to, overwrite: true });
		expect(fs.readFileSync(path.join(to, tree, 'a'), 'utf8')).toBe('new');
		expect(fs.readFileSync(path.join(to, tree, 'other'), 'utf8')).toBe('stays');
		fs.rmSync(path.join(to, tree, 'a'));
		fs.mkdirSync(path.join(to, tree, 'a'));
		await expect(restore(backup, { to, overwrite: true })).rejects.toMatchObject({
			code: 'already-exists',
			message: expect.stringContaining('a folder has its name') as string,
		});
		expect(fs.readdirSync(to)).toEqual([tree.split('/')[1]]);
	});

	it('leaves no folder where it restored nothing: for a key that opens no data, and for patterns that name nothing', async () => {
		write('a');
		const pair = await generateIdentity();
		const host = await generateIdentity();
		const encryption = { recipients: [pair.recipient] };
		const { label } = await group.back({ request: { encryption, hostKey: host.identity } });
		const to = path.join(folder, 'nothing');
		const repository = await Repository.open(group.storage);
		const attempt = async (identity: string, include: string[]) => {
			const keys = { identities: [identity] };
			const restorer = filesRestorer({ to, include });
			return await restoreBackup({ repository, group: GROUP, label, keys, restorer, signal });
		};
		await expect(attempt(host.identity, [])).rejects.toMatchObject({ code: 'wrong-identity' });
		await expect(attempt(pair.identity, ['nothing'])).rejects.toMatchObject({ code: 'not-found' });
		expect(fs.existsSync(to)).toBe(false);
	});

	it('ends with an error where no folder can be made', async () => {
		write('a');
		const backup = await group.back();
		await expect(restore(backup, { to: '/proc/nothing/here' })).rejects.toMatchObject({
			message: expect.stringContaining('cannot make or read /proc/nothing/here') as string,
		});
		await expect(restore(backup, { to: path.join(tree, 'a') })).rejects.toMatchObject({ code: 'already-exists' });
		await expect(restore(backup, { to: path.join(tree, 'a', 'b') })).rejects.toMatchObject({ code: 'already-exists' });
	});

	it('never follows a link that lies in the target', async () => {
		write('sub/a', 'mine');
		const backup = await group.back();
		const outside = path.join(folder, 'outside');
		fs.mkdirSync(outside);
		const to = path.join(folder, 'trap');
		fs.mkdirSync(path.join(to, tree), { recursive: true });
		fs.symlinkSync(outside, path.join(to, tree, 'sub'));
		await expect(restore(backup, { to, overwrite: true })).rejects.toMatchObject({ code: 'already-exists' });
		expect(fs.readdirSync(outside)).toEqual([]);
	});

	it('takes setuid and setgid away, unless it restores owners', async () => {
		write('tool');
		fs.chmodSync(path.join(tree, 'tool'), 0o6755);
		const backup = await group.back();
		const modeOf = (to: string) => fs.statSync(path.join(to, tree, 'tool')).mode & 0o7777;
		expect(modeOf((await restore(backup)).to)).toBe(0o755);
		if (isRoot) expect(modeOf((await restore(backup, { owners: 'names' })).to)).toBe(0o6755);
	});

	it('names what cannot be made here', async () => {
		write('a');
		const { execFileSync } = await import('node:child_process');
		execFileSync('mkfifo', [path.join(tree, 'pipe')]);
		const { warnings, notRestored } = await restore(await group.back());
		expect(notRestored).toEqual([{ path: `${tree.slice(1)}/pipe`, why: 'a FIFO: make it with mkfifo' }]);
		expect(warnings).toEqual([expect.stringContaining('1 entry was not restored')]);
	});

	it('reads little of a large archive for one small file', async () => {
		for (let i = 0; i < 40; i++) write(`${10 + i}`, randomBytes(1_000_000));
		const backup = await group.back();
		let bytes = 0;
		const read = group.storage.read.bind(group.storage);
		jest.spyOn(group.storage, 'read').mockImplementation(async (...args) => {
			const body = await read(...args);
			body.on('data', (chunk: Buffer) => (bytes += chunk.length));
			return body;
		});
		const { to } = await restore(backup, { include: ['33'] });
		expect(fs.readFileSync(path.join(to, tree, '33')).equals(fs.readFileSync(path.join(tree, '33')))).toBe(true);
		expect(bytes).toBeLessThan(5_000_000);
	});

	it('stops within a second when it is told to in the middle, and leaves no half file', async () => {
		for (let i = 0; i < 50; i++) write(`${i}`, randomBytes(400_000));
		const backup = await group.back();
		const stop = new AbortController();
		const read = group.storage.read.bind(group.storage);
		let abortedAt = Infinity;
		let bytes = 0;
		jest.spyOn(group.storage, 'read').mockImplementation(async (...args) => {
			const body = await read(...args);
			if (!args[0].includes('archive.tar') || args[1]?.start !== undefined) return body;
			body.on('data', (chunk: Buffer) => {
				bytes += chunk.length;
				if (bytes < 8_000_000 || stop.signal.aborted) return;
				abortedAt = performance.now();
				stop.abort();
			});
			return body;
		});
		const to = path.join(folder, 'stopped');
		await expect(restore(backup, { to }, { under: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
		expect(performance.now() - abortedAt).toBeLessThan(1500);
		expect(fs.readdirSync(to)).toEqual([tree.split('/')[1]]);
		const restored = fs.readdirSync(path.join(to, tree));
		expect(restored.length).toBeLessThan(50);
		for (const name of restored) expect(fs.statSync(path.join(to, tree, name)).size).toBe(400_000);
	});
});

describe('a drill', () => {
	it('restores and compares everything, and removes it, folders that forbid it included', async () => {
		write('locked/a');
		write('b', Buffer.alloc(2_000_000, 'b'));
		fs.chmodSync(path.join(tree, 'locked'), 0o555);
		const { label } = await group.back();
		const repository = await Repository.open(group.storage);
		const before = temporaryFolders();
		const request = { repository, group: GROUP, label, keys: null, signal };
		const result = await verifyBackup({ ...request, depth: 'restored', drills: [filesDrill()] });
		expect(result).toMatchObject({
			outcome: 'ok',
			message: expect.stringContaining('2 files of 2.0 MB in 2 folders') as string,
		});
		expect(temporaryFolders()).toEqual(before);
	});
});

function temporaryFolders(): string[] {
	return fs.readdirSync(path.dirname(folder)).filter((name) => name.startsWith(`n8n-backup-archive-${process.pid}`));
}

describe('a hostile archive', () => {
	const data = Buffer.concat([Buffer.from('evil'), Buffer.alloc(2044)]);
	const sha256 = createHash('sha256').update('evil').digest('hex');
	const file = (name: string) => ({ ...ENTRY, path: name, type: 'file', size: 4, sha256, at: 0 });
	const link = (name: string, target: string) => ({ ...ENTRY, path: name, type: 'symlink', target });

	async function attack(lines: ReadonlyArray<object | string>): Promise<string> {
		const storage = new MemoryStorage();
		const manifest = await hostileArchive(storage, GROUP, lines, data);
		const to = path.join(folder, 'target');
		const outcome = await restore(manifest, { to }, { of: new ArchiveGroup(tree, storage) }).then(
			({ comparison, notRestored }) => (comparison.ok && notRestored.length === 0 ? 'restored' : 'in part'),
			(error: { code: string }) => error.code,
		);
		// Nothing beside the target, and nothing through a link.
		expect(fs.readdirSync(folder).filter((name) => name !== 'target')).toEqual(['tree']);
		expect(fs.readdirSync(tree)).toEqual([]);
		return outcome;
	}

	it.each([
		['an absolute path', [file('/etc/evil')]],
		['a path with ..', [file('a/../../evil')]],
		['a path that is ..', [file('..')]],
		['an empty path', [file('')]],
		['a path with a NUL', [file('a\0b')]],
		['a hard link to a place outside', [{ ...ENTRY, path: 'a', type: 'link', target: '../tree' }]],
		['a line that is not JSON', ['{"path":']],
		['a line that is an array', ['[]']],
		['an unknown type', [{ ...ENTRY, path: 'a', type: 'portal' }]],
		['a size below zero', [{ ...file('a'), size: -1 }]],
		['contents behind the end of the archive', [{ ...file('a'), at: 1e12 }]],
		['contents in a parent that there is none of', [{ ...file('a'), in: 7 }]],
		['a digest of other contents', [{ ...file('a'), sha256: '0'.repeat(64) }]],
		[
			'holes that overlap',
			[
				{
					...file('a'),
					extents: [
						[0, 3],
						[1, 1],
					],
				},
			],
		],
		[
			'holes behind the end',
			[
				{
					...file('a'),
					extents: [
						[0, 2],
						[3, 10],
					],
				},
			],
		],
		['entries out of order', [file('b'), file('a')]],
		['the same entry twice', [file('a'), file('a')]],
		['an invalid mode', [{ ...file('a'), mode: 0o170_000 }]],
	])('with %s is refused', async (_, lines) => {
		expect(await attack(lines)).toBe('damaged');
	});

	it('with a link in the place of a folder cannot write through it', async () => {
		// As a file, the link comes before what would be in the folder; the folder itself is not among the entries.
		expect(await attack([link('sub', tree), { ...file('sub/evil') }])).toBe('already-exists');
	});

	it('with a link and a folder of one name cannot write through it', async () => {
		expect(await attack([link('sub', tree), { ...ENTRY, path: 'sub', type: 'directory' }, file('sub/evil')])).toBe(
			'already-exists',
		);
	});

	it('with a hard link to a symlink makes none', async () => {
		expect(await attack([link('a', `${tree}/x`), { ...ENTRY, path: 'b', type: 'link', target: 'a' }])).toBe('in part');
	});

	it('with devices makes none', async () => {
		expect(await attack([{ ...ENTRY, path: 'disk', type: 'block', device: [8, 0] }])).toBe('in part');
	});

	it('with a file of a petabyte that is one hole does not fill the disk', async () => {
		const huge = { ...file('a'), size: 1e15, extents: [] };
		expect(await attack([huge])).toBe('unsupported');
	});
});
