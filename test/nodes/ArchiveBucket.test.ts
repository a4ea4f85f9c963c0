/** Archive Bucket, and Restore Backup: Restore Bucket, on a real S3 server; n8n itself is in test/e2e. */
import fs from 'node:fs';
import path from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import { ArchiveBucket } from '../../nodes/ArchiveBucket/ArchiveBucket.node';
import { RestoreBackup } from '../../nodes/RestoreBackup/RestoreBackup.node';
import { TestBucket } from '../support/buckets';
import { nextSecond, stopClock } from '../support/clock';
import { type FakeNode, fakeContext } from '../support/fake-node';
import { createFolder, removeFolder } from '../support/folders';
import { sharedS3 } from '../support/s3';

const server = sharedS3();
let folder: string;
let bucket: TestBucket;
let credentials: Record<string, Record<string, unknown>>;

stopClock();
beforeEach(async () => {
	folder = createFolder('archive-bucket');
	fs.mkdirSync(path.join(folder, 'backups'));
	bucket = new TestBucket(server(), await server().makeBucket());
	for (const key of ['photos/a', 'photos/b', 'other']) await bucket.put(key, { tags: { team: 'x' } });
	const { identity, recipient } = await generateIdentity();
	credentials = {
		backupStorageApi: { type: 'folder', path: path.join(folder, 'backups') },
		backupStorageSecondApi: credentialOf(bucket),
		backupEncryptionApi: { method: 'recipients', recipients: recipient, identity },
	};
});
afterEach(() => removeFolder(folder));

function credentialOf({ name }: TestBucket): Record<string, unknown> {
	const { accessKey, secretKey } = server().keys;
	return { type: 's3', endpoint: server().endpoint, bucket: name, accessKeyId: accessKey, secretAccessKey: secretKey };
}

async function run(
	node: ArchiveBucket | RestoreBackup,
	parameters: Record<string, unknown>,
	more: Partial<FakeNode> = {},
) {
	nextSecond();
	const fake = fakeContext({ parameters, credentials: credentials as FakeNode['credentials'], ...more });
	const [items] = await node.execute.call(fake.context);
	expect(JSON.stringify([items, fake.hints])).not.toContain(server().keys.secretKey);
	return { items: items!.map(({ json }) => json), hints: fake.hints };
}

const ARCHIVE = {
	...{ operation: 'archive', prefix: '', group: 'bucket/photos', type: 'auto', fullEvery: 7, maxChain: 30 },
	...{ encryption: 'age', verifyAfterwards: 'deepest', verifyUpTo: 100, keep: 'everything', options: {} },
};
const archive = async (parameters: Record<string, unknown> = {}, more: Partial<FakeNode> = {}) =>
	await run(new ArchiveBucket(), { ...ARCHIVE, ...parameters }, more);
const RESTORE = {
	...{ operation: 'restoreBucket', group: 'bucket/photos', backup: 'newest', encryption: 'age', bucketPrefix: '' },
	...{ existing: 'refuse', include: '', options: {} },
};
const restore = async (parameters: Record<string, unknown> = {}, more: Partial<FakeNode> = {}) =>
	await run(new RestoreBackup(), { ...RESTORE, ...parameters }, more);

it('stores a bucket, restored and compared right away, then what changed; and it comes back whole', async () => {
	const { items, hints } = await archive();
	expect(items[0]).toMatchObject({
		summary: expect.stringMatching(/^bucket\/photos: 3 objects of 57 B; .* stored, /),
		...{ bucket: `s3://${bucket.name}`, type: 'full', complete: true, objects: 3, named: [], warnings: [] },
		verification: { ok: true, depth: 'restored' },
	});
	expect(hints).toEqual([]);
	await bucket.remove('other');
	await bucket.put('new');
	expect((await archive()).items[0]).toMatchObject({
		summary: expect.stringContaining('1 new or changed, 1 gone'),
		...{ type: 'incremental', objects: 3, storedObjects: 1, goneObjects: 1, parents: 1 },
	});
	const whole = await bucket.see();
	await bucket.remove(...(await bucket.keysOf()));
	await expect(archive()).rejects.toThrow(`s3://${bucket.name} is empty; the backup before has 3 objects of it`);
	const [filled] = (await restore()).items;
	expect(filled).toMatchObject({ ok: true, objects: 3, kept: 0, restoredTo: `s3://${bucket.name}`, differences: [] });
	expect(Object.keys(filled!)[0]).toBe('summary');
	expect(await bucket.see()).toEqual(whole);
});

it('stores all versions and delete markers where that is wanted, and brings them back into an empty bucket', async () => {
	await bucket.keepVersions();
	await bucket.put('photos/a', { bytes: 'newer' });
	await bucket.remove('other');
	const { items } = await archive({ options: { versions: true } });
	// What was there before versions were kept is a version as well.
	expect(items[0]).toMatchObject({ complete: true, objects: 2, versions: 2, deleteMarkers: 1, warnings: [] });

	const other = await new TestBucket(server(), await server().makeBucket()).keepVersions();
	const into = {
		credentials: { ...credentials, backupStorageSecondApi: credentialOf(other) } as FakeNode['credentials'],
	};
	const [filled] = (await restore({ options: { versions: true } }, into)).items;
	expect(filled).toMatchObject({ ok: true, objects: 3, deleteMarkers: 1, differences: [] });
	expect(await other.seeVersions()).toEqual(await bucket.seeVersions());
	await expect(restore({ options: { versions: true } }, into)).rejects.toThrow('is not empty');
});

it('stores what is below a prefix, and refuses another one in its group unless that is allowed', async () => {
	expect((await archive({ prefix: 'photos/' })).items[0]).toMatchObject({ objects: 2 });
	await expect(archive({ prefix: 'other' })).rejects.toThrow('came from another server');
	const allowed = { options: { allowAnotherServer: true }, verifyAfterwards: 'no' };
	expect((await archive({ prefix: '', ...allowed })).items[0]).toMatchObject({ objects: 3 });
});

it('refuses a storage in the bucket, and what is no bucket', async () => {
	const inside = { ...credentialOf(bucket), prefix: 'backups' };
	await expect(archive({}, { credentials: { ...credentials, backupStorageApi: inside } })).rejects.toThrow(
		`the backups would lie in s3://${bucket.name}`,
	);
	const noBucket = { type: 'folder', path: folder };
	await expect(archive({}, { credentials: { ...credentials, backupStorageSecondApi: noBucket } })).rejects.toThrow(
		'is not a bucket',
	);
	await expect(archive({ group: ' ' })).rejects.toThrow('Group');
});

it('replaces objects only when the bucket is typed again, keeps them, tells what it would do, and makes files of them', async () => {
	await archive();
	await expect(restore()).rejects.toThrow('3 of 3 objects are there already');
	await expect(restore({ existing: 'replace', bucketConfirmation: 'photos' })).rejects.toThrow('typed again');
	await expect(restore({ existing: 'whatever' })).rejects.toThrow('Objects That Are There');
	await bucket.put('other', { bytes: 'newer' });
	await bucket.remove('photos/a');
	const dry = await restore({ existing: 'keep', options: { dryRun: true } });
	expect(dry.items[0]).toMatchObject({ dryRun: true, objects: 1, kept: 2, listed: ['photos/a'] });
	expect(dry.hints).toHaveLength(1);
	expect((await restore({ existing: 'keep' })).items[0]).toMatchObject({ objects: 1, kept: 2 });
	const replaced = await restore({ existing: 'replace', bucketConfirmation: bucket.name, include: 'other' });
	expect(replaced.items[0]).toMatchObject({ ok: true, objects: 1 });
	expect((await restore({ bucketPrefix: 'again/' })).items[0]).toMatchObject({
		restoredTo: `s3://${bucket.name}/again`,
	});
	expect(await bucket.keysOf()).toContain('again/photos/a');
	const files = { operation: 'restoreFiles', folder: path.join(folder, 'files'), intoFolder: 'empty' };
	expect((await restore(files)).items[0]).toMatchObject({ ok: true, files: 3 });
	expect(fs.readFileSync(path.join(folder, 'files/photos/a'), 'utf8')).toBe('contents of photos/a');
	const listed = await restore({ operation: 'listContents', path: 'photos', limit: 50 });
	expect(listed.items.map(({ path: name }) => name)).toEqual(['photos/a', 'photos/b']);
});
