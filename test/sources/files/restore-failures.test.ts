/** Restores that cannot end: what remains is said, no file is ever half there under its name, and the next restore works. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../../../core/base/errors';
import { indexOf } from '../../../core/sources/files/parts';
import { createStorage } from '../../../core/storage/create';
import { ArchiveGroup, GROUP } from '../../support/archives';
import { compileProgram } from '../../support/compiled-program';
import { asNobody, createFolder, itAsRoot, NOBODY, removeFolder, withDisk } from '../../support/folders';
import { goesOn, rounds, tell } from '../../support/soak';
import { expectAlike, treeOf } from '../../support/trees';

let folder: string;
let tree: string;
let to: string;
let group: ArchiveGroup;
beforeEach(() => {
	folder = createFolder('restore-failures');
	tree = path.join(folder, 'tree');
	to = path.join(folder, 'to');
	fs.mkdirSync(path.join(tree, 'sub'), { recursive: true });
	fs.mkdirSync(to);
	group = new ArchiveGroup(tree);
});
afterEach(() => {
	jest.restoreAllMocks();
	removeFolder(folder);
});

const restoredTree = () => path.join(to, tree);

/** Files of some bytes that cannot be compressed. */
function write(count: number, bytes: number): void {
	for (let number = 0; number < count; number++) {
		fs.writeFileSync(path.join(tree, number % 2 === 0 ? '' : 'sub', `${number}`), randomBytes(bytes));
	}
}

/** Files that are there under their own names; each must be as it was. */
function wholeFiles(): number {
	const names = fs.existsSync(restoredTree())
		? fs.readdirSync(restoredTree(), { recursive: true, encoding: 'utf8' })
		: [];
	const files = names.filter((name) => fs.statSync(path.join(restoredTree(), name)).isFile());
	for (const name of files) {
		const isWhole = fs.readFileSync(path.join(restoredTree(), name)).equals(fs.readFileSync(path.join(tree, name)));
		expect({ name, isWhole }).toEqual({ name, isWhole: true });
	}
	return files.length;
}

/** How many files and folders have their names already. */
function namesRestored(): number {
	return fs.existsSync(restoredTree()) ? fs.readdirSync(restoredTree(), { recursive: true }).length : 0;
}

/** Restores once more over what is there, which must end well and leave nothing else behind. */
async function restoreAgain(backup: { label: string }): Promise<void> {
	const { comparison, warnings } = await group.restore(backup, { to, overwrite: true, owners: 'numbers' });
	expect({ ok: comparison.ok, warnings }).toEqual({ ok: true, warnings: [] });
	expectAlike(treeOf(restoredTree()), treeOf(tree));
	expect(fs.readdirSync(to)).toEqual([tree.split('/')[1]]);
}

describe('a full disk', () => {
	itAsRoot('ends a restore, which says what stays; with more space, the next one goes on', async () => {
		write(40, 200_000);
		const backup = await group.back();
		await withDisk(to, '4m', async () => {
			const error = await group.restore(backup, { to }).catch((failure: unknown) => failure);
			const count = wholeFiles();
			expect(count).toBeGreaterThan(5);
			expect(count).toBeLessThan(40);
			expect(error).toMatchObject({
				code: 'storage-full',
				message: expect.stringContaining(`there is no space for the files in ${to}`) as string,
				hint: expect.stringContaining(`${count} files that were restored before stay in ${to}, whole.`) as string,
			});
			expect(fs.readdirSync(to)).toEqual([tree.split('/')[1]]);
			execFileSync('mount', ['-o', 'remount,size=20m', to]);
			await restoreAgain(backup);
		});
	});

	itAsRoot('for what a restore notes meanwhile is said as such, whichever file it is', async () => {
		for (let number = 0; number < 900; number++) {
			fs.writeFileSync(path.join(tree, `${'n'.repeat(200)}${number}`), 'contents');
		}
		const backup = await group.back();
		const index = indexOf(backup.manifest).original.bytes;
		const disk = path.join(folder, 'disk');
		fs.mkdirSync(disk);
		jest.spyOn(os, 'tmpdir').mockReturnValue(disk);
		// Less than the index; and the index with half of the plan that is made of it.
		for (const bytes of [index / 2, index * 1.5]) {
			await withDisk(disk, String(Math.ceil(bytes)), async () => {
				await expect(group.restore(backup, { to })).rejects.toMatchObject({
					code: 'storage-full',
					message: expect.stringContaining('there is no space for temporary files') as string,
				});
				expect(fs.readdirSync(disk)).toEqual([]);
			});
			expect(wholeFiles()).toBe(0);
		}
		jest.restoreAllMocks();
		await restoreAgain(backup);
	});
});

describe('a folder that may not be written', () => {
	itAsRoot('is named, with what was refused', async () => {
		write(2, 10);
		const backup = await group.back();
		fs.chmodSync(folder, 0o755);
		const attempt = async (into: string) => await asNobody(async () => await group.restore(backup, { to: into }));
		await expect(attempt(path.join(folder, 'new'))).rejects.toMatchObject({
			code: 'access-denied',
			message: expect.stringContaining(`cannot make or read ${folder}/new: EACCES`) as string,
		});
		await expect(attempt(to)).rejects.toMatchObject({
			code: 'access-denied',
			message: expect.stringContaining(
				`the files could not be restored into ${to}: mkdir was refused (EACCES)`,
			) as string,
		});
		expect(fs.readdirSync(to)).toEqual([]);
		await restoreAgain(backup);
	});

	itAsRoot(
		'on the way down ends the restore with the name of the file; all others are whole or not there',
		async () => {
			write(4, 10);
			const backup = await group.back();
			fs.chmodSync(folder, 0o755);
			fs.mkdirSync(path.join(restoredTree(), 'sub'), { recursive: true });
			for (let at = restoredTree(); at !== folder; at = path.dirname(at)) fs.chownSync(at, NOBODY, NOBODY);
			const attempt = async () => await asNobody(async () => await group.restore(backup, { to, overwrite: true }));
			await expect(attempt()).rejects.toMatchObject({
				code: 'access-denied',
				message: expect.stringMatching(/: \S+\/tree\/sub\/1: rename was refused \(EACCES\)$/) as string,
				hint: expect.stringContaining('2 files that were restored before stay') as string,
			});
			expect(wholeFiles()).toBe(2);
			expect(fs.readdirSync(to)).toEqual([tree.split('/')[1]]);
			await restoreAgain(backup);
		},
	);

	itAsRoot('because its disk is mounted read-only is refused before anything is read of the archive', async () => {
		const backup = await group.back();
		await withDisk(to, '1m', async () => {
			execFileSync('mount', ['-o', 'remount,ro', to]);
			await expect(group.restore(backup, { to })).rejects.toMatchObject({
				code: 'access-denied',
				message: expect.stringContaining('(EROFS)') as string,
			});
		});
	});
});

it('says what stays where the storage breaks off in the middle', async () => {
	write(40, 200_000);
	const backup = await group.back();
	const read = group.storage.read.bind(group.storage);
	jest.spyOn(group.storage, 'read').mockImplementation(async (key, options) => {
		const body = await read(key, options);
		let bytes = 0;
		body.on(
			'data',
			(chunk: Buffer) =>
				(bytes += chunk.length) > 4_000_000 && body.destroy(new BackupError('connection-lost', 'gone')),
		);
		return body;
	});
	const error = await group.restore(backup, { to }).catch((failure: unknown) => failure);
	const count = wholeFiles();
	expect(count).toBeGreaterThan(0);
	expect(error).toMatchObject({
		hint: expect.stringContaining(`${count} files that were restored before stay`) as string,
	});
	jest.restoreAllMocks();
	await restoreAgain(backup);
});

const KILLS = rounds(2, 60);
it(
	`${KILLS} times killed with -9, n8n-backup restore leaves whole files only, and the next one does all the rest`,
	async () => {
		write(60, 400_000);
		const storage = createStorage({ type: 'folder', path: folder });
		group = new ArchiveGroup(tree, storage);
		const backup = await group.back();
		const program = compileProgram();
		const restore = ['restore', GROUP, '--storage', `file://${folder}`, '--to', to];
		const seen = { early: 0, middle: 0, late: 0 };
		try {
			for (let round = 0; goesOn(round, KILLS, seen.middle); round++) {
				fs.rmSync(to, { recursive: true });
				const child = program.start(restore, { TMPDIR: folder });
				const ended = once(child, 'exit');
				// Not after a time: how far it is then depends on how busy the machine is.
				const wanted = Math.floor(Math.random() * 60);
				while (child.exitCode === null && !(fs.existsSync(to) && namesRestored() >= wanted)) await delay(2);
				child.kill('SIGKILL');
				await ended;
				const count = wholeFiles();
				const left = fs.readdirSync(to).filter((name) => name.startsWith('.n8n-backup-restore-'));
				seen[count === 0 ? 'early' : left.length > 0 ? 'middle' : 'late']++;
				if (left.length > 0) {
					await expect(group.restore(backup, { to })).rejects.toMatchObject({
						code: 'already-exists',
						message: expect.stringContaining('a restore into it was ended before its end') as string,
					});
				}
				await restoreAgain(backup);
			}
		} finally {
			program.remove();
			await storage.close();
		}
		tell(`killed in the middle of a restore: ${JSON.stringify(seen)}`);
		expect(seen.middle).toBeGreaterThan(0);
	},
	// It goes on until one kill has struck in the middle.
	180_000 + KILLS * 20_000,
);

it('names what a restore of another host left, and leaves it alone', async () => {
	write(2, 10);
	const backup = await group.back();
	const left = `.n8n-backup-restore-${'0'.repeat(12)}-1-${'0'.repeat(12)}`;
	fs.mkdirSync(path.join(to, left));
	const { warnings } = await group.restore(backup, { to, overwrite: true });
	expect(warnings).toEqual([`${path.join(to, left)} is of another restore: unless that still runs, remove it by hand`]);
	expect(fs.existsSync(path.join(to, left))).toBe(true);
});
