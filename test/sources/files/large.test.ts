/** One file out of a large backup: only what it needs is read, from a folder and from a server of S3. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { generateIdentity } from '../../../core/codecs/age/keys';
import { Repository } from '../../../core/records/repository';
import { filesRestorer } from '../../../core/sources/files/restore/restorer';
import { FolderStorage } from '../../../core/storage/folder/folder';
import { S3Storage } from '../../../core/storage/s3/s3';
import type { Storage } from '../../../core/storage/storage';
import { restoreBackup } from '../../../core/verbs/restore/restore';
import { ArchiveGroup, GROUP } from '../../support/archives';
import { createFolder, removeFolder } from '../../support/folders';
import { sharedS3 } from '../../support/s3';
import { rounds } from '../../support/soak';

/** Of the whole backup; 10 GB in `npm run soak`. */
const BYTES = rounds(64e6, 10e9);
const FILE_BYTES = 16e6;
const WANTED_BYTES = 1e6;
const MAX_READ_BYTES = 20e6;

const server = sharedS3();
let folder: string;
beforeEach(() => (folder = createFolder('large')));
afterEach(() => removeFolder(folder));

const storages: Array<[name: string, open: () => Promise<Storage>]> = [
	[
		'a folder',
		async () => {
			fs.mkdirSync(path.join(folder, 'storage'));
			return await Promise.resolve(new FolderStorage({ path: path.join(folder, 'storage') }));
		},
	],
	['S3', async () => new S3Storage(server().options(await server().makeBucket()))],
];

it.each(storages)(
	`1 MB of ${BYTES / 1e6} MB is restored from %s with no more than 20 MB read`,
	async (_, open) => {
		const tree = path.join(folder, 'tree');
		fs.mkdirSync(tree);
		// Frames are compressed each by itself, so that the same random bytes again do not compress.
		const bytes = randomBytes(FILE_BYTES);
		const count = Math.round(BYTES / FILE_BYTES);
		for (let number = 0; number < count; number++) {
			bytes.writeUInt32LE(number);
			fs.writeFileSync(path.join(tree, String(number).padStart(6, '0')), bytes);
		}
		const wanted = randomBytes(WANTED_BYTES);
		fs.writeFileSync(path.join(tree, `${String(Math.floor(count / 2)).padStart(6, '0')}-wanted`), wanted);

		const storage = await open();
		try {
			const { identity, recipient } = await generateIdentity();
			const group = new ArchiveGroup(tree, storage);
			const { label, manifest } = await group.back({ request: { encryption: { recipients: [recipient] } } });
			expect(manifest.parts[0]!.stored.bytes).toBeGreaterThan(BYTES);
			fs.rmSync(tree, { recursive: true });

			let read = 0;
			const inner = storage.read.bind(storage);
			jest.spyOn(storage, 'read').mockImplementation(async (...args) => {
				const body = await inner(...args);
				body.on('data', (chunk: Buffer) => (read += chunk.length));
				return body;
			});
			const to = path.join(folder, 'to');
			const { comparison } = await restoreBackup({
				...{ repository: await Repository.open(storage), group: GROUP, label, keys: { identities: [identity] } },
				restorer: filesRestorer({ to, include: ['*-wanted'] }),
				signal: new AbortController().signal,
			});
			expect(comparison).toMatchObject({ ok: true, figures: { files: 1 } });
			const [name] = fs.readdirSync(path.join(to, tree));
			expect(fs.readFileSync(path.join(to, tree, name!)).equals(wanted)).toBe(true);
			process.stdout.write(`read ${(read / 1e6).toFixed(1)} MB of ${(BYTES / 1e6).toFixed(0)}\n`);
			expect(read).toBeGreaterThan(WANTED_BYTES);
			expect(read).toBeLessThan(MAX_READ_BYTES);
		} finally {
			await storage.close();
		}
	},
	rounds(60_000, 3_600_000),
);
