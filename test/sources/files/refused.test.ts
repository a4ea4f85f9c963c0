/** What is missing, empty, forbidden, full or stopped: an error or a word about it, and never a backup that is less than it says. */
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createStorage } from '../../../core/storage/create';
import { Repository } from '../../../core/records/repository';
import { runArchiver } from '../../support/archiver-run';
import { ArchiveGroup, GROUP } from '../../support/archives';
import { stopClock } from '../../support/clock';
import { compileProgram } from '../../support/compiled-program';
import { asNobody, createFolder, itAsRoot, NOBODY, removeFolder, withDisk } from '../../support/folders';
import { treeOf } from '../../support/trees';
import { until } from '../../support/until';

let folder: string;
let source: string;
let group: ArchiveGroup;
beforeEach(() => {
	folder = createFolder('refused');
	source = path.join(folder, 'source');
	fs.mkdirSync(at('sub'), { recursive: true });
	for (const name of ['a', 'b', 'sub/c']) fs.writeFileSync(at(name), `contents of ${name}`);
	group = new ArchiveGroup(source);
});
afterEach(() => {
	jest.restoreAllMocks();
	removeFolder(folder);
});
stopClock();

const at = (name: string) => path.join(source, name);
const empty = () => {
	fs.rmSync(source, { recursive: true });
	fs.mkdirSync(source);
};

/** Labels of all backups that are there. */
async function labels(storage = group.storage): Promise<string[]> {
	const repository = await Repository.open(storage);
	return (await repository.list(GROUP)).map(({ label }) => label);
}

/** Temporary folders of this process. */
const temporary = () =>
	fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(`n8n-backup-archive-${process.pid}-`));

describe('a root', () => {
	it.each([
		['that is missing', '/nowhere/at/all', 'source-missing', '/nowhere/at/all is not there'],
		['below a file', '/etc/passwd/x', 'source-missing', '/etc/passwd/x is not there'],
		['that is relative', 'www', 'invalid-input', '"www" is not an absolute path'],
		['that is everything', '/', 'invalid-input', 'the whole file system cannot be archived'],
		['with a NUL', '/a\0b', 'invalid-input', '"/a\0b" is not an absolute path'],
	])('%s is refused', async (_, root, code, message) => {
		await expect(group.back({ paths: [root] })).rejects.toMatchObject({ code, message });
		expect(await labels()).toEqual([]);
	});

	it('is given, or nothing is made', async () => {
		await expect(group.back({ paths: [] })).rejects.toMatchObject({ code: 'invalid-input', message: 'no path given' });
	});

	it('that vanishes once it was looked at is an error, and leaves no backup', async () => {
		const second = path.join(folder, 'zzz');
		fs.mkdirSync(second);
		await expect(
			runArchiver([source, second], folder, { onEntry: () => fs.rmSync(second, { recursive: true, force: true }) }),
		).rejects.toMatchObject({ code: 'source-missing', message: `${second} is not there` });
	});

	it('that was emptied is refused, by an incremental and by a full backup', async () => {
		const first = await group.back();
		empty();
		for (const type of ['incremental', 'full'] as const) {
			await expect(group.back({ type })).rejects.toMatchObject({ code: 'source-missing' });
		}
		expect(await labels()).toEqual([first.label]);
		expect(temporary()).toEqual([]);
	});

	it('of several that was emptied is refused by an incremental backup, which says which', async () => {
		const other = path.join(folder, 'other');
		fs.mkdirSync(other);
		fs.writeFileSync(path.join(other, 'file'), 'there');
		const paths = [source, other];
		await group.back({ paths });
		empty();
		await expect(group.back({ paths, type: 'incremental' })).rejects.toMatchObject({
			...{ code: 'source-missing', message: `${source} is empty; the backup before has 4 entries of it` },
		});
	});

	itAsRoot('that is not mounted any more is refused', async () => {
		fs.renameSync(source, path.join(folder, 'data'));
		fs.mkdirSync(source);
		await withDisk(source, '1m', async () => {
			fs.writeFileSync(at('file'), 'on the disk');
			await group.back();
		});
		fs.writeFileSync(at('file'), 'below the mount point');
		await expect(group.back({ type: 'incremental' })).rejects.toMatchObject({
			...{ code: 'source-missing', message: `${source} is not mounted; it was when the backup before was made` },
		});
	});

	it('that lost most of its files or bytes is backed up, with a warning, and says so until somebody approves', async () => {
		for (let number = 0; number < 10; number++) fs.writeFileSync(at(`${number}`), '12345');
		fs.writeFileSync(at('large'), randomBytes(100_000));
		const first = await group.back();
		expect(first.manifest.warnings).toEqual([]);
		for (let number = 0; number < 9; number++) fs.rmSync(at(`${number}`));
		fs.rmSync(at('large'));
		const second = await group.back({ type: 'incremental' });
		const since = { since: first.label, shownBy: second.label };
		expect(second.manifest.shrunk).toEqual([
			{ what: 'files', from: 14, to: 4, ...since },
			{ what: 'bytes', from: expect.any(Number), to: expect.any(Number), ...since },
		]);
		expect(second.manifest.warnings).toEqual([
			`71 % of the files are gone since ${first.label}: 4 now, 14 then`,
			expect.stringMatching(/^99 % of the bytes are gone since /),
		]);
		expect((await group.back({ type: 'full', maxLostPercent: 1 })).manifest.warnings).toEqual([]);
	});

	it('can be a file, or lead through a link, and lies in another one only once', async () => {
		fs.symlinkSync(source, path.join(folder, 'link'));
		const paths = [path.join(folder, 'link'), at('sub'), at('a'), source, `${source}/`];
		const backup = await group.back({ paths });
		expect(backup.summary.roots.map((root) => root.path)).toEqual([path.join(folder, 'link'), source]);
		const restored = await group.restoreByTar(backup, path.join(folder, 'restored'));
		expect(treeOf(restored)).toEqual(treeOf(source));
		expect(treeOf(path.join(restored, '../link'))).toEqual(treeOf(source));
		const file = await group.back({ paths: [at('a')] });
		expect(file.summary).toMatchObject({ counts: { file: 1 }, stored: { entries: 1 } });
	});
});

describe('what may not be read', () => {
	itAsRoot('is named, makes the backup incomplete, and stays as the backup before has it', async () => {
		fs.chownSync(folder, NOBODY, NOBODY);
		const before = await asNobody(async () => await runArchiver([source], folder));
		expect(before.summary).toMatchObject({ incomplete: false, counts: { directory: 2, file: 3 } });
		fs.writeFileSync(at('a'), 'changed, and hidden');
		fs.chmodSync(at('a'), 0o600);
		fs.writeFileSync(at('sub/c'), 'changed, and hidden');
		fs.chmodSync(at('sub'), 0o700);
		fs.writeFileSync(at('b'), 'changed');
		const archive = await asNobody(async () => await runArchiver([source], folder, { chain: [before] }));
		expect(archive.summary).toMatchObject({ incomplete: true, remarks: { unreadable: 2 } });
		expect(archive.summary.named).toEqual([
			{ path: at('a').slice(1), why: 'unreadable' },
			{ path: at('sub').slice(1), why: 'unreadable' },
		]);
		expect(archive.entries.map((entry) => entry.path)).toEqual([source.slice(1), at('b').slice(1)]);
	});

	itAsRoot('as a root is an error', async () => {
		fs.chmodSync(source, 0o700);
		fs.chownSync(folder, NOBODY, NOBODY);
		await expect(asNobody(async () => await runArchiver([source], folder))).rejects.toMatchObject({
			...{ code: 'access-denied', message: `cannot read ${source}: EACCES` },
		});
	});
});

describe('a full disk', () => {
	itAsRoot('of the storage leaves no backup, and room for the next one', async () => {
		const disk = path.join(folder, 'disk');
		fs.mkdirSync(disk);
		fs.writeFileSync(at('large'), randomBytes(6_000_000));
		await withDisk(disk, '4m', async () => {
			const storage = createStorage({ type: 'folder', path: disk });
			const full = new ArchiveGroup(source, storage);
			await expect(full.back()).rejects.toMatchObject({ code: 'storage-full' });
			expect(await labels(storage)).toEqual([]);
			fs.rmSync(at('large'));
			expect((await full.back()).manifest.status).toBe('whole');
			await storage.close();
		});
		expect(temporary()).toEqual([]);
	});

	itAsRoot('for temporary files is said as such', async () => {
		const disk = path.join(folder, 'disk');
		fs.mkdirSync(disk);
		for (let number = 0; number < 900; number++) fs.writeFileSync(at(`${'n'.repeat(200)}${number}`), '');
		await withDisk(disk, '128k', async () => {
			jest.spyOn(os, 'tmpdir').mockReturnValue(disk);
			await expect(group.back()).rejects.toMatchObject({
				...{ code: 'storage-full', message: 'there is no space for temporary files' },
			});
			expect(fs.readdirSync(disk)).toEqual([]);
		});
		expect(await labels()).toEqual([]);
	});
});

describe('a run that is stopped', () => {
	it('ends within a second of being cancelled, wherever it is, and leaves nothing', async () => {
		const file = fs.openSync(at('large'), 'w');
		// A hole of 40 GB, which nobody reads in this time.
		fs.ftruncateSync(file, 40_000_000_000);
		fs.closeSync(file);
		for (const after of [0, 50, 700]) {
			const stop = new AbortController();
			const running = group.back({ request: { signal: stop.signal } });
			const ended = expect(running).rejects.toMatchObject({ code: 'cancelled' });
			await new Promise((resolve) => setTimeout(resolve, after));
			const began = performance.now();
			stop.abort();
			await ended;
			expect(performance.now() - began).toBeLessThan(1000);
		}
		expect(await labels()).toEqual([]);
		expect(temporary()).toEqual([]);
	});

	it('with -9 leaves no backup, and nothing that the next run does not remove', async () => {
		jest.useRealTimers();
		const program = compileProgram();
		const storage = createStorage({ type: 'folder', path: path.join(folder, 'storage') });
		const tmp = path.join(folder, 'tmp');
		fs.mkdirSync(path.join(folder, 'storage'));
		fs.mkdirSync(tmp);
		try {
			fs.writeFileSync(at('noise'), randomBytes(20_000_000));
			const file = fs.openSync(at('z'), 'w');
			fs.ftruncateSync(file, 40_000_000_000);
			fs.closeSync(file);
			const child = program.start(
				[
					...['archive', '--storage', `file://${folder}/storage`, '--group', GROUP],
					...['--path', source, '--no-encryption', '--type', 'full'],
				],
				{ TMPDIR: tmp },
			);
			const ended = once(child, 'exit');
			// What is stored so far, or waits under a temporary name.
			await until('it stores the archive', () =>
				fs.readdirSync(path.join(folder, 'storage'), { recursive: true }).some((name) => /archive/.test(String(name))),
			);
			await new Promise((resolve) => setTimeout(resolve, 300));
			child.kill('SIGKILL');
			await ended;
			expect(await labels(storage)).toEqual([]);
			const [left] = fs.readdirSync(tmp);
			expect(left).toMatch(/^n8n-backup-archive-/);
			// Of another container's processes, nobody here knows whether they run.
			const longAgo = Date.now() / 1000 - 73 * 3600;
			fs.utimesSync(path.join(tmp, left!), longAgo, longAgo);
			fs.rmSync(at('z'));
			jest.spyOn(os, 'tmpdir').mockReturnValue(tmp);
			const next = await new ArchiveGroup(source, storage).back();
			expect(next.manifest.warnings.join()).toMatch(/took over|stale|killed|lock/);
			expect(await labels(storage)).toEqual([next.label]);
			expect(fs.readdirSync(tmp)).toEqual([]);
			const stored = fs.readdirSync(path.join(folder, 'storage', GROUP));
			expect(stored).toEqual([next.label]);
		} finally {
			await storage.close();
			program.remove();
		}
	});
});
