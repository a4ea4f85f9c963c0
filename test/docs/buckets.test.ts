/** docs/buckets.md: its commands, on a real bucket, with our command line and with age, zstd and tar alone. */
import { readdirSync } from 'node:fs';
import fs from 'node:fs';
import path from 'node:path';
import { TestBucket } from '../support/buckets';
import { Document, PROJECT, sh } from '../support/document';
import { createFolder, removeFolder } from '../support/folders';
import { sharedS3 } from '../support/s3';
import { generateIdentity } from '../../core/codecs/age/keys';

const document = new Document('docs/buckets.md');
const server = sharedS3();
let folder: string;
let bucket: TestBucket;
let env: NodeJS.ProcessEnv;
let recipient: string;
beforeEach(async () => {
	folder = createFolder('buckets');
	bucket = new TestBucket(server(), await server().makeBucket());
	for (const name of ['bin', 'backups', 'elsewhere']) fs.mkdirSync(path.join(folder, name));
	const node = `#!/bin/sh\nexec '${process.execPath}' --require '${PROJECT}/test/support/typescript.cjs' '${PROJECT}/bin/n8n-backup.ts' "$@"\n`;
	fs.writeFileSync(path.join(folder, 'bin/n8n-backup'), node, { mode: 0o755 });
	const pair = await generateIdentity();
	recipient = pair.recipient;
	fs.writeFileSync(path.join(folder, 'key.txt'), `${pair.identity}\n`);
	env = {
		...process.env,
		PATH: `${folder}/bin:${process.env.PATH}`,
		AWS_ACCESS_KEY_ID: 'keys of a storage that is not S3',
		AWS_SECRET_ACCESS_KEY: 'unused',
		N8N_BACKUP_BUCKET_AWS_ACCESS_KEY_ID: server().keys.accessKey,
		N8N_BACKUP_BUCKET_AWS_SECRET_ACCESS_KEY: server().keys.secretKey,
	};
});
afterEach(() => removeFolder(folder));

const run = async (script: string, cwd = folder) => await sh(script, { cwd, env });
/** One of the two commands of the block that has both. */
const command = (name: 'bucket' | 'restore', more: Record<string, string> = {}) => {
	const both = document.block('n8n-backup bucket', {
		'file:///backups': `file://${folder}/backups`,
		'https://minio.example.org:9000': server().endpoint,
		's3://photos-restored': 's3://RESTORED',
		's3://photos': `s3://${bucket.name}`,
		'age1…': `${recipient} --identity key.txt`,
	});
	const found = both.split(/(?=n8n-backup restore)/)[name === 'bucket' ? 0 : 1]!.trim();
	return Object.entries(more).reduce((text, [from, to]) => text.replace(from, to), found);
};

it('is true of backups and restores by command line and by hand', async () => {
	for (const key of ['photos/a.jpg', 'photos/b.jpg', 'folder/', '../up'])
		await bucket.put(key, { tags: { team: 'x' } });
	await run(command('bucket'));
	const group = path.join(folder, 'backups/bucket/photos');
	const [full] = readdirSync(group);
	fs.copyFileSync(path.join(folder, 'key.txt'), path.join(group, full!, 'key.txt'));
	await run(document.block('mkdir restored\nage -d'), path.join(group, full!));
	expect(fs.readdirSync(path.join(group, full!, 'restored'), { recursive: true }).sort()).toEqual([
		...['%2E%2E', '%2E%2E/up', 'folder', 'folder/%', 'photos', 'photos/a.jpg', 'photos/b.jpg'],
	]);
	fs.rmSync(path.join(group, full!, 'restored'), { recursive: true });
	fs.rmSync(path.join(group, full!, 'key.txt'));

	await bucket.remove('photos/a.jpg', 'photos/b.jpg');
	await bucket.put('photos');
	const said = await run(command('bucket'));
	expect(said).toContain('3 objects of');
	const [, label] = readdirSync(group).sort();
	expect(label).toContain('incremental');
	fs.copyFileSync(path.join(folder, 'key.txt'), path.join(group, 'key.txt'));
	await run(document.block('for each in', { '20261127T020000Z-incremental-k3f9': label! }), group);
	expect(fs.readdirSync(path.join(group, 'restored'), { recursive: true }).sort()).toEqual([
		...['%2E%2E', '%2E%2E/up', 'folder', 'folder/%', 'photos'],
	]);
	for (const left of ['restored', 'archive.tar', 'removed-names', 'key.txt'])
		fs.rmSync(path.join(group, left), { recursive: true });

	const other = new TestBucket(server(), await server().makeBucket());
	const restore = command('restore', { 's3://RESTORED': `s3://${other.name}` });
	expect(await run(`${restore} --dry-run`)).toContain('would be restored');
	expect(await run(restore)).toContain('3 objects of');
	expect(await other.see()).toEqual(await bucket.see());
	await expect(run(restore)).rejects.toThrow('3 of 3 objects are there already');
	await other.remove('photos');
	expect(await run(`${restore} --missing-only --include /photos`)).toContain('1 object of 18 B as they were');
	await expect(run(`${restore} --missing-only --overwrite`)).rejects.toThrow('--overwrite and --missing-only');
	expect(await run(`${restore} --overwrite`)).toContain('3 objects of');
	expect(await other.see()).toEqual(await bucket.see());

	const files = command('restore').replace(/--to .*$/s, `--to ${folder}/files`);
	expect(await run(files)).toContain('3 files of');
	expect(fs.readFileSync(path.join(folder, 'files/%2E%2E/up'), 'utf8')).toBe('contents of ../up');
	const list = `n8n-backup ls bucket/photos --storage file://${folder}/backups --identity key.txt`;
	expect(await run(list)).toContain('%2E%2E/up');
	const verified = `n8n-backup verify bucket/photos --storage file://${folder}/backups --identity key.txt --depth restored`;
	expect(await run(verified)).toContain('restored');
	const inside = command('bucket', {
		[`file://${folder}/backups`]: `'s3://${bucket.name}/backups?endpoint=${server().endpoint}'`,
	});
	await expect(run(inside)).rejects.toThrow('the backups would lie in');
}, 180_000);

it('is true of a bucket with its versions', async () => {
	await bucket.keepVersions();
	for (const key of ['photos/a.jpg', 'photos/b.jpg']) await bucket.put(key);
	const withVersions = command('bucket', { '--recipient': '--versions --recipient' });
	await run(withVersions);
	await bucket.put('photos/a.jpg', { bytes: 'changed' });
	await bucket.remove('photos/b.jpg');
	expect(await run(withVersions)).toContain('1 objects of 7 B, 2 older versions of 48 B, 1 delete marker;');
	const group = path.join(folder, 'backups/bucket/photos');
	const label = readdirSync(group).sort()[1]!;
	fs.copyFileSync(path.join(folder, 'key.txt'), path.join(group, 'key.txt'));
	await run(document.block('%versions/', { '20261127T020000Z-incremental-k3f9': label }), group);
	const files = (readdirSync(path.join(group, 'restored'), { recursive: true }) as string[])
		.filter((name) => fs.statSync(path.join(group, 'restored', name)).isFile())
		.map((name) => name.replace(/%v-\d{8}T\d{6}Z-[\w.-]+?(?=%deleted|$)/, 'V'));
	expect(files.sort()).toEqual([
		...['%versions/photos/a.jpg/V', '%versions/photos/b.jpg/V', '%versions/photos/b.jpg/V%deleted', 'photos/a.jpg'],
	]);
	for (const left of ['restored', 'archive.tar', 'removed-names', 'key.txt'])
		fs.rmSync(path.join(group, left), { recursive: true });

	const other = await new TestBucket(server(), await server().makeBucket()).keepVersions();
	const restore = command('restore', { 's3://RESTORED': `s3://${other.name}` });
	expect(await run(`${restore} --versions`)).toContain(
		'2 objects with 3 versions of 55 B and 1 delete marker as they were',
	);
	expect(await other.seeVersions()).toEqual(await bucket.seeVersions());
	const toFolder = command('restore').replace(/--to .*$/s, `--to ${folder}/all --versions`);
	expect(await run(toFolder)).toContain('4 files of');
}, 180_000);

it('has no command that no test runs, and no link that leads nowhere', () => {
	expect(document.unused()).toEqual([]);
	expect(document.brokenLinks()).toEqual([]);
});
