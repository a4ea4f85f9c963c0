/**
 * Made the repository in v1-files/, once, with version 0.1.0: the other kinds of backups that fit beside a program's source. Not to be made
 * again after the first release, as v1/.
 *
 *   node --require test/support/typescript.cjs test/format/make-v1-files.ts <empty folder>
 */
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { generateIdentity } from '../../core/codecs/age/keys';
import { generateSigningKey, parseSigningKey } from '../../core/codecs/sshsig/keys';
import { Repository } from '../../core/records/repository';
import { bucketSource } from '../../core/sources/bucket/source';
import { filesSource } from '../../core/sources/files/source';
import type { Source } from '../../core/sources/source';
import { openStorage } from '../../core/storage/create';
import { approveBackup } from '../../core/verbs/approve/approve';
import { type BackupRequest, backUp } from '../../core/verbs/backup/backup';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { TestBucket } from '../support/buckets';
import { startS3 } from '../support/s3';
import { treeOf } from '../support/trees';

/** Where what is archived lay: archives hold whole paths. */
export const SITE = '/tmp/format-v1/site';

async function make(folder: string): Promise<void> {
	const { signal } = new AbortController();
	const signing = generateSigningKey('throw-away key of the format');
	const authority = { key: parseSigningKey(signing.secret), signers: null };
	const repositoryFolder = path.join(folder, 'repository');
	fs.mkdirSync(repositoryFolder);
	const storage = openStorage(`file://${repositoryFolder}`, {});
	const [reader, host] = [await generateIdentity(), await generateIdentity()];
	const encryption = { recipients: [reader.recipient] };
	const trees: Record<string, string[]> = {};

	const store = async (group: string, source: Source, request: Partial<BackupRequest> = {}) => {
		// Labels tell the second.
		await delay(1100);
		return (await backUp({ storage, group, source, encryption: null, authority, signal, ...request })).manifest.label;
	};
	const site = async (type: BackupRequest['type']) => {
		const source = filesSource({ paths: [SITE], exclude: ['cache/'] });
		const label = await store('files/site', source, { type, encryption, hostKey: host.identity });
		trees[`files/site/${label}`] = treeOf(SITE, { links: false, without: (each) => each.startsWith('cache') });
		return label;
	};

	fs.rmSync(path.dirname(SITE), { recursive: true, force: true });
	makeSite();
	await site('full');
	fs.writeFileSync(path.join(SITE, 'index.html'), '<h1>changed</h1>\n');
	fs.renameSync(path.join(SITE, 'img'), path.join(SITE, 'pictures'));
	await site('differential');
	fs.rmSync(path.join(SITE, 'posts'), { recursive: true });
	fs.writeFileSync(path.join(SITE, 'why.txt'), 'most posts are gone\n');
	const shrunk = await site('incremental');

	const server = await startS3();
	try {
		const bucket = new TestBucket(server, await server.makeBucket('photos'));
		const photos = async (type: BackupRequest['type']) => {
			const made = await store('bucket/photos', bucketSource({ bucket: bucket.config() }), { type });
			trees[`bucket/photos/${made}`] = (await bucket.see()).map((seen) => JSON.stringify(seen));
		};
		await bucket.put('2026/ä b.jpg', {
			bytes: 'a photo',
			meta: { 'Content-Type': 'image/jpeg', 'X-Amz-Meta-By': 'Ada' },
		});
		await bucket.put('2026/gone.jpg', { bytes: 'soon gone', tags: { kind: 'draft' } });
		await photos('full');
		await bucket.remove('2026/gone.jpg');
		await bucket.put('2026/new.jpg', { bytes: 'another', tags: { kind: 'final' } });
		await photos('incremental');
	} finally {
		await server.stop();
	}

	const repository = await Repository.open(storage, { authority });
	await approveBackup({ repository, group: 'files/site', label: shrunk, reason: 'the posts moved', signal });
	const keys = { identities: [reader.identity] };
	const verified = await verifyBackup({
		repository,
		group: 'files/site',
		label: shrunk,
		depth: 'readable',
		keys,
		signal,
	});
	if (verified.outcome !== 'ok') throw new Error(verified.message);
	await storage.close();
	fs.rmSync(path.dirname(SITE), { recursive: true });
	const note = '# Committed on purpose: a throw-away key that protects nothing.\n';
	fs.writeFileSync(path.join(folder, 'key.txt'), `${note}${reader.identity}\n`);
	fs.writeFileSync(path.join(folder, 'host-key.txt'), `${note}${host.identity}\n`);
	fs.writeFileSync(path.join(folder, 'signer.pub'), `${signing.publicKey}\n`);
	fs.writeFileSync(path.join(folder, 'trees.json'), `${JSON.stringify(trees, null, '\t')}\n`);
}

/** A bit of everything that a tree can hold, all owned by who makes it. */
function makeSite(): void {
	const at = (name: string) => path.join(SITE, name);
	for (const name of ['img', 'posts', 'cache', 'empty']) fs.mkdirSync(at(name), { recursive: true });
	fs.writeFileSync(at('index.html'), '<h1>first</h1>\n');
	fs.writeFileSync(at('img/logo.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>\n');
	fs.copyFileSync(at('img/logo.svg'), at('img/same as logo.svg'));
	fs.linkSync(at('index.html'), at('index.htm'));
	fs.symlinkSync('img/logo.svg', at('favicon.svg'));
	fs.writeFileSync(Buffer.from(`${SITE}/caf\xe9`, 'latin1'), 'a name in Latin 1\n');
	fs.writeFileSync(at(`${'long'.repeat(50)}.txt`), 'a long name\n');
	for (let post = 0; post < 40; post++) fs.writeFileSync(at(`posts/${post}.md`), `# Post ${post}\n`);
	fs.writeFileSync(at('cache/page'), 'made anew\n');
	fs.writeFileSync(at('holes.img'), '');
	fs.truncateSync(at('holes.img'), 5_000_000);
	fs.chmodSync(at('img/logo.svg'), 0o640);
	fs.utimesSync(at('empty'), -1, -86_400);
	const database = new DatabaseSync(at('notes.sqlite'));
	database.exec(
		"CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO note (text) VALUES ('one'), ('two')",
	);
	database.close();
}

if (require.main === module) void make(path.resolve(process.argv[2]!));
