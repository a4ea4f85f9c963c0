import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { assertNotInside } from '../../core/records/outer';
import { Repository } from '../../core/records/repository';
import { FolderStorage } from '../../core/storage/folder/folder';
import { S3Storage } from '../../core/storage/s3/s3';
import { createStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import { checkStorage } from '../../core/verbs/check/check';
import { buildBackup } from '../support/build-backup';
import { createFolder, removeFolder } from '../support/folders';
import { sharedS3 } from '../support/s3';

const server = sharedS3();
let top: string;
beforeEach(() => {
	top = createFolder('outer');
	fs.mkdirSync(path.join(top, 'backups/postgres/shop/deep'), { recursive: true });
});
afterEach(() => removeFolder(top));

const folder = (name: string) => createStorage({ type: 'folder', path: path.join(top, name) });
const create = async (storage: Storage) => await Repository.open(storage, { create: true });

const REFUSED = {
	...{ code: 'invalid-input', message: expect.stringMatching(/\/deep lies in the storage .*\/backups$/) },
	hint: expect.stringContaining('beside it'),
};

it('a folder within a storage becomes no storage, also through a link, and a check says so', async () => {
	await create(folder('backups'));
	fs.symlinkSync(path.join(top, 'backups/postgres/shop'), path.join(top, 'linked'));
	for (const name of ['backups/postgres/shop/deep', 'linked/deep']) {
		await expect(create(folder(name))).rejects.toMatchObject(REFUSED);
		expect(await checkStorage(folder(name))).toMatchObject({ ok: false, ...REFUSED });
	}
	expect(fs.readdirSync(path.join(top, 'backups/postgres/shop/deep'))).toEqual([]);
	expect(await checkStorage(folder('backups'))).toMatchObject({ ok: true });
});

it('a storage that was one before is used as ever, and a check says so', async () => {
	const inner = folder('backups/postgres/shop/deep');
	await create(inner);
	await create(folder('backups'));
	await buildBackup(await create(inner));
	expect(await checkStorage(inner)).toMatchObject({ ok: false, ...REFUSED });
});

it('a file that is no repository, or cannot be read, is in nobody’s way', async () => {
	for (const text of ['null', 'no JSON', '{"format": "x"}', '[]']) {
		fs.writeFileSync(path.join(top, 'backups/repository.json'), text);
		await assertNotInside(folder('backups/postgres'));
	}
	fs.rmSync(path.join(top, 'backups/repository.json'));
	fs.mkdirSync(path.join(top, 'backups/repository.json'));
	await create(folder('backups/postgres'));
});

it('a prefix below the prefix of a storage, or below a whole bucket, becomes none', async () => {
	const bucket = await server().makeBucket();
	const at = (prefix: string) => new S3Storage({ ...server().options(bucket), ...server().keys, prefix });
	await create(at('a/backups'));
	await expect(create(at('a/backups/b/deep'))).rejects.toMatchObject(REFUSED);
	await create(at('a/backups-2'));
	await create(at(''));
	await expect(create(at('c'))).rejects.toMatchObject({
		message: expect.stringContaining(`lies in the storage s3://${bucket}`),
	});
});

it('a folder of an SFTP server lies in those above it', () => {
	const hostKey = `SHA256:${'A'.repeat(43)}`;
	const own = { type: 'sftp', host: 'nas', user: 'backup', password: 'x', hostKey, path: '/srv/backups/shop' } as const;
	expect(createStorage(own).outer!().map(({ location }) => location)).toEqual([
		...['sftp://backup@nas/srv/backups', 'sftp://backup@nas/srv', 'sftp://backup@nas/'],
	]);
});

it('who is cancelled looks at no more', async () => {
	await new FolderStorage({ path: path.join(top, 'backups') }).write('x', Readable.from(['x']));
	await expect(assertNotInside(folder('backups/postgres'), AbortSignal.abort())).rejects.toMatchObject({
		code: 'cancelled',
	});
});
