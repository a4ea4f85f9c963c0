/** Differential and incremental archives: what is stored anew, what is not, and what comes out of them by hand. */
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { generateIdentity } from '../../../core/codecs/age/keys';
import { ArchiveGroup, type Archived, type ArchiveRequest, GROUP } from '../../support/archives';
import { stopClock } from '../../support/clock';
import { createFolder, removeFolder } from '../../support/folders';
import { treeOf } from '../../support/trees';

let folder: string;
let source: string;
let group: ArchiveGroup;
stopClock();
beforeEach(() => {
	folder = createFolder('chains');
	source = path.join(folder, 'source');
	fs.mkdirSync(at('www/img'), { recursive: true });
	fs.mkdirSync(at('etc'));
	for (const name of ['www/index.html', 'www/img/logo.png', 'www/img/photo.jpg', 'etc/hosts', 'readme']) write(name);
	group = new ArchiveGroup(source);
});
afterEach(() => removeFolder(folder));

const at = (name: string) => path.join(source, name);
const write = (name: string, contents: string | Buffer = `contents of ${name}`) => fs.writeFileSync(at(name), contents);
const full = async (options?: ArchiveRequest) => await group.back(options);
const incremental = async (options?: ArchiveRequest) => await group.back({ type: 'incremental', ...options });

/** Restores by hand, and compares with the tree as it is. */
async function expectTree(backup: Archived): Promise<void> {
	expect(await group.treeByTar(backup, path.join(folder, 'restored'))).toEqual(treeOf(source));
}

/** Paths in the index of one backup, below the source; what is gone has a minus before it. */
async function linesOf(backup: Archived): Promise<string[]> {
	const entries = await group.index(backup);
	return entries.map(({ path: whole, type }) => `${type.startsWith('gone') ? '-' : ''}${whole.slice(source.length)}`);
}

describe('an incremental archive', () => {
	it('stores nearly nothing where nothing changed', async () => {
		for (let number = 0; number < 300; number++) write(`www/${number}`, randomBytes(100));
		const first = await full();
		const second = await incremental();
		expect(second.summary.stored).toEqual({ entries: 0, bytes: 0, gone: 0 });
		expect(second.summary.counts).toEqual(first.summary.counts);
		const size = ({ manifest }: Archived) => manifest.parts[0]!.stored.bytes;
		expect(size(second)).toBeLessThan(size(first) / 100);
		await expectTree(second);
	});

	it('stores what was changed, made and removed, and nothing else', async () => {
		await full();
		write('www/index.html', 'changed');
		write('www/img/new.png');
		fs.rmSync(at('etc/hosts'));
		fs.rmSync(at('www/img/photo.jpg'));
		const second = await incremental();
		expect(await linesOf(second)).toEqual(
			['etc', '-etc/hosts', 'www', 'www/index.html', 'www/img', 'www/img/new.png', '-www/img/photo.jpg'].sort(byPlace),
		);
		await expectTree(second);
	});

	it('follows a folder that was renamed, removed with all in it, and made anew', async () => {
		await full();
		fs.renameSync(at('www'), at('web'));
		await expectTree(await incremental());
		fs.rmSync(at('web'), { recursive: true });
		const removed = await incremental();
		expect(await linesOf(removed)).toEqual(['', '-web']);
		await expectTree(removed);
		fs.mkdirSync(at('web/img'), { recursive: true });
		write('web/img/other');
		await expectTree(await incremental());
		fs.rmSync(at('web'), { recursive: true });
		fs.mkdirSync(at('web'));
		write('web/index.html', 'new');
		const anew = await incremental();
		expect(await linesOf(anew)).toEqual(['', 'web', 'web/index.html', '-web/img']);
		await expectTree(anew);
	});

	it('puts files, folders and links in each other’s places', async () => {
		const kinds: Array<[string, (name: string) => void]> = [
			['file', (name) => write(name)],
			['folder', (name) => (fs.mkdirSync(at(name)), write(`${name}/in it`))],
			['symlink', (name) => fs.symlinkSync('www', at(name))],
			['link', (name) => fs.linkSync(at('readme'), at(name))],
		];
		const swaps = kinds.flatMap(([from, make]) =>
			kinds.map(([to, exchange]) => [`${from} to ${to}`, make, exchange] as const),
		);
		for (const [name, make] of swaps) make(name);
		await full();
		for (const [name, , exchange] of swaps) {
			fs.rmSync(at(name), { recursive: true });
			exchange(name);
		}
		await expectTree(await incremental());
	});

	it('notices a new mode, a new time, and contents behind an old size and time', async () => {
		await full();
		fs.chmodSync(at('readme'), 0o600);
		const mode = await incremental();
		expect(await linesOf(mode)).toEqual(['', 'readme']);
		await expectTree(mode);
		fs.utimesSync(at('etc/hosts'), 5, 5);
		const time = await incremental();
		expect(await linesOf(time)).toEqual(['etc', 'etc/hosts']);
		await expectTree(time);
		const { atime, mtime, size } = fs.statSync(at('www/index.html'));
		write('www/index.html', Buffer.alloc(size, 'X'));
		fs.utimesSync(at('www/index.html'), atime, mtime);
		const hidden = await incremental();
		expect(await linesOf(hidden)).toEqual(['www', 'www/index.html']);
		await expectTree(hidden);
		fs.chmodSync(at('www'), 0o700);
		const ofFolder = await incremental();
		expect((await linesOf(ofFolder))[0]).toBe('www');
		await expectTree(ofFolder);
	});

	it('keeps several names of one file together, whichever of them comes, goes or is changed', async () => {
		write('a', randomBytes(3000));
		fs.linkSync(at('a'), at('www/b'));
		fs.linkSync(at('a'), at('www/img/c'));
		await expectTree(await full());
		fs.appendFileSync(at('www/b'), 'through one of them');
		await expectTree(await incremental());
		fs.rmSync(at('a'));
		await expectTree(await incremental());
		fs.linkSync(at('www/img/c'), at('another'));
		await expectTree(await incremental());
		fs.rmSync(at('www/b'));
		write('www/b', 'its own');
		await expectTree(await incremental());
		fs.renameSync(at('another'), at('zzz'));
		const last = await incremental();
		await expectTree(last);
		expect(await group.verify(last)).toBe('ok');
	});

	it('removes by hand what is left out from now on, and has again what is not any more', async () => {
		await full();
		const without = await incremental({ exclude: ['*.jpg', '/etc'] });
		const hides = (name: string) => name.endsWith('.jpg') || name.startsWith('etc');
		expect(await group.treeByTar(without, path.join(folder, 'restored'))).toEqual(treeOf(source, { without: hides }));
		await expectTree(await incremental());
	});

	it('has what is too large no more', async () => {
		write('growing', 'small');
		await full({ maxFileBytes: 1000 });
		write('growing', randomBytes(1001));
		const second = await incremental({ maxFileBytes: 1000 });
		expect(second.summary.named).toEqual([{ path: at('growing').slice(1), why: 'too-large' }]);
		const without = { without: (name: string) => name === 'growing' };
		expect(await group.treeByTar(second, path.join(folder, 'restored'))).toEqual(treeOf(source, without));
		expect((await incremental({ maxFileBytes: 1000 })).summary.stored.entries).toBe(0);
	});

	it('takes other roots than before', async () => {
		await full({ paths: [at('www'), at('readme')] });
		const second = await incremental({ paths: [at('etc'), at('www')] });
		expect(await linesOf(second)).toEqual(['-readme', 'etc', 'etc/hosts'].sort(byPlace));
		expect(second.summary.roots.map((root) => root.path.slice(source.length + 1))).toEqual(['etc', 'www']);
		// Nobody tells tar of a root that is there no more; all the others are as they are.
		const restored = await group.restoreByTar(second, path.join(folder, 'restored'));
		for (const root of ['etc', 'www']) expect(treeOf(path.join(restored, root))).toEqual(treeOf(at(root)));
	});
});

it('a differential archive has all that was changed since the full one', async () => {
	await full();
	write('readme', 'one');
	await incremental();
	write('etc/hosts', 'two');
	const third = await group.back({ type: 'differential' });
	expect(third.chain).toHaveLength(2);
	expect(await linesOf(third)).toEqual(['', 'readme', 'etc', 'etc/hosts']);
	await expectTree(third);
	write('www/index.html', 'three');
	const fourth = await incremental();
	expect(fourth.chain.map(({ type }) => type)).toEqual(['full', 'differential', 'incremental']);
	await expectTree(fourth);
});

describe('comparing contents', () => {
	it('stores nothing again of a tree that was copied back, and what was changed in it', async () => {
		await full();
		const copied = path.join(folder, 'copied');
		execFileSync('cp', ['-a', source, copied]);
		fs.rmSync(source, { recursive: true });
		fs.renameSync(copied, source);
		const second = await incremental({ compareContents: true });
		expect(second.summary.stored.bytes).toBe(0);
		expect((await group.index(second)).filter(({ type }) => type === 'file').map((entry) => entry.in)).toEqual([
			1, 1, 1, 1, 1,
		]);
		await expectTree(second);
		write('readme', 'changed');
		const third = await incremental({ compareContents: true });
		expect(third.summary.stored.bytes).toBe(7);
		await expectTree(third);
		expect(await group.verify(third)).toBe('ok');
	});

	it('is not fooled by an old size and time', async () => {
		await full();
		const { atime, mtime, size } = fs.statSync(at('readme'));
		write('readme', Buffer.alloc(size, 'X'));
		fs.utimesSync(at('readme'), atime, mtime);
		const second = await incremental({ compareContents: true });
		expect(second.summary.stored.bytes).toBe(size);
		await expectTree(second);
	});
});

describe('what a chain needs', () => {
	const keys = async () => await generateIdentity();

	it('is the host key, or an identity; with recipients alone, an incremental one is refused, and the way out is said', async () => {
		const [{ identity, recipient }, host] = [await keys(), await keys()];
		const encryption = { recipients: [recipient] };
		await full({ request: { encryption } });
		await expect(incremental({ request: { encryption } })).rejects.toMatchObject({ code: 'wrong-identity' });
		await expect(incremental({ request: { encryption, hostKey: host.identity } })).rejects.toMatchObject({
			code: 'wrong-identity',
		});
		const proved = await incremental({ request: { encryption, proveWith: { identities: [identity] } } });
		expect(proved.summary.stored.entries).toBe(0);
		const auto = { fullEveryDays: 7, maxChain: 30 };
		const made = await group.back({ type: auto, request: { encryption, hostKey: host.identity } });
		expect(made.manifest.type).toBe('full');
		expect(made.manifest.warnings.join()).toMatch(
			/^made a full backup, because .*host key, the next one can be incremental/,
		);
		const next = await group.back({ type: auto, request: { encryption, hostKey: host.identity } });
		expect(next.manifest).toMatchObject({ type: 'incremental', warnings: [] });
	});

	it('is an undamaged index of what it builds on; else the next one is full, and says why', async () => {
		const first = await full();
		const key = `${GROUP}/${first.label}/index.jsonl.zst`;
		const bytes = await buffer(await group.storage.read(key));
		bytes[bytes.length >> 1]! ^= 1;
		await group.storage.remove(key);
		await group.storage.write(key, Readable.from([bytes]));
		const second = await incremental();
		expect(second.manifest).toMatchObject({ type: 'full', parents: [] });
		expect(second.manifest.warnings).toEqual([
			expect.stringMatching(/^made a full backup, because the index of .* or of its parents cannot be read: .*damaged/),
		]);
		await expectTree(second);
		expect((await incremental()).manifest.type).toBe('incremental');
	});
});

/** The order of an index: a folder, what is in it, and then its folders. */
function byPlace(a: string, b: string): number {
	const key = (line: string) => {
		const name = line.replace(/^-/, '');
		return ['', 'www', 'etc', 'www/img'].includes(name) ? `${name}/` : `${path.dirname(name)}/\0${path.basename(name)}`;
	};
	return key(a) < key(b) ? -1 : 1;
}
