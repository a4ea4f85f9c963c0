/**
 * The repository in v1-files/ is as v1/ is: archives of files and of a bucket, as people have stored them with version 0.1.0. A test here that
 * fails is a promise that was broken: mend the program, not the files.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseIdentities } from '../../core/codecs/age/keys';
import { parseSigners } from '../../core/records/authority';
import { Repository } from '../../core/records/repository';
import { bucketFolderRestorer } from '../../core/sources/bucket/restore';
import { filesDrill, filesRestorer } from '../../core/sources/files/restore/restorer';
import { filesSource } from '../../core/sources/files/source';
import { openStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import { backUp } from '../../core/verbs/backup/backup';
import { restoreBackup } from '../../core/verbs/restore/restore';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { sh } from '../support/document';
import { createFolder, removeFolder } from '../support/folders';
import type { Seen } from '../support/buckets';
import { expectAlike, treeOf } from '../support/trees';
import { SITE } from './make-v1-files';

const kept = path.join(__dirname, 'v1-files');
const text = (name: string) => fs.readFileSync(path.join(kept, name), 'utf8');
const trees = Object.entries(JSON.parse(text('trees.json')) as Record<string, string[]>);
const sites = trees.filter(([name]) => name.startsWith('files/'));
const buckets = trees.filter(([name]) => name.startsWith('bucket/'));
const keys = { identities: parseIdentities(text('key.txt')) };
const { signal } = new AbortController();

let folder: string;
let storage: Storage;
let repository: Repository;
beforeAll(async () => {
	folder = createFolder('format-files');
	fs.cpSync(path.join(kept, 'repository'), path.join(folder, 'repository'), { recursive: true });
	storage = openStorage(`file://${folder}/repository`, {});
	repository = await Repository.open(storage, { authority: { key: null, signers: parseSigners(text('signer.pub')) } });
});
afterAll(async () => {
	await storage.close();
	removeFolder(folder);
});

/** Who runs the tests owns what they restore; a copy that SQLite made has the same rows, and not the same bytes. */
const comparable = (lines: readonly string[]) =>
	lines.map((line) => line.replace(/ \d+:\d+ /, ' ').replace(/(?<=^"notes.sqlite.*) \w{12}$/, ''));

/** Expects the tree that was archived, below the folder into which it was restored. */
function expectSite(folder: string, tree: readonly string[]): void {
	expectAlike(comparable(treeOf(path.join(folder, SITE), { links: false })), comparable(tree));
	const database = new DatabaseSync(path.join(folder, SITE, 'notes.sqlite'), { readOnly: true });
	expect(
		database
			.prepare('SELECT text FROM note ORDER BY id')
			.all()
			.map(({ text: note }) => note),
	).toEqual(['one', 'two']);
	database.close();
}

const parse = (name: string) => [path.dirname(name), path.basename(name)] as const;

it('has a chain of files, of which the last has lost so much that somebody had to approve, and one of a bucket', async () => {
	const listed = await repository.list();
	expect(listed.map(({ group, label }) => `${group}/${label}`).sort()).toEqual(trees.map(([name]) => name).sort());
	expect(listed.map(({ type }) => type).sort()).toEqual(['differential', 'full', 'full', 'incremental', 'incremental']);
	const [group, label] = parse(sites.at(-1)![0]);
	const manifest = await repository.readManifest(group, label);
	expect(manifest.shrunk).toMatchObject([{ shownBy: label }]);
	expect(fs.readdirSync(path.join(folder, 'repository', group, label))).toContain('approved.json');
});

it.each(sites)('%s is proved, and restored as it was', async (name, tree) => {
	const [group, label] = parse(name);
	const drills = [filesDrill()];
	const verified = await verifyBackup({ repository, group, label, depth: 'restored', keys, drills, signal });
	expect(verified).toMatchObject({ outcome: 'ok', authentic: true, comparison: { ok: true } });
	const to = path.join(folder, label);
	await restoreBackup({ repository, group, label, keys, restorer: filesRestorer({ to }), signal });
	expectSite(to, tree);
});

it('is restored by hand with age, zstd and tar', async () => {
	fs.mkdirSync(path.join(folder, 'by-hand'));
	// The differential builds on the full one, the incremental on both.
	for (const [name, tree] of sites) {
		const archive = path.join(folder, 'repository', name, 'archive.tar.zst.age');
		await sh(`age -d -i ${kept}/key.txt ${archive} | zstd -d | tar -x -G -p -C by-hand`, {
			cwd: folder,
			env: process.env,
		});
		expectSite(path.join(folder, 'by-hand'), tree);
	}
});

it.each(buckets)('%s is proved, and every object is in a folder with its bytes', async (name, lines) => {
	const [group, label] = parse(name);
	expect(await verifyBackup({ repository, group, label, depth: 'readable', keys: null, signal })).toMatchObject({
		...{ outcome: 'ok', authentic: true },
	});
	const to = path.join(folder, label);
	await restoreBackup({ repository, group, label, keys: null, restorer: bucketFolderRestorer({ to }), signal });
	const objects = lines.map((line) => JSON.parse(line) as Seen);
	const below = fs.readdirSync(to, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
	expect(below).toHaveLength(objects.length);
	for (const { key, sha256 } of objects) {
		expect(
			createHash('sha256')
				.update(fs.readFileSync(path.join(to, key)))
				.digest('hex'),
		).toBe(sha256);
	}
});

it('the next incremental backup builds on it, with the host key alone', async () => {
	const source = path.join(folder, 'source');
	fs.mkdirSync(source);
	fs.writeFileSync(path.join(source, 'file'), 'text');
	const { recipients } = (await repository.readManifest(...parse(sites[0]![0]))).encryption as { recipients: string[] };
	const [hostKey] = parseIdentities(text('host-key.txt'));
	const { manifest } = await backUp({
		...{ storage, group: 'files/site', source: filesSource({ paths: [source] }), type: 'incremental', hostKey, signal },
		encryption: { recipients },
	});
	expect(manifest).toMatchObject({
		type: 'incremental',
		parents: sites.map(([name]) => path.basename(name)).reverse(),
	});
});
