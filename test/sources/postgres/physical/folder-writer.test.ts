import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FolderWriter } from '../../../../core/sources/postgres/physical/restore/writing/folder-writer';
import { createFolder, removeFolder } from '../../../support/folders';

/** A file that takes no byte, as on a disk that is full; Linux has it. */
const FULL = '/dev/full';

const folder = createFolder('folder-writer');

afterAll(() => removeFolder(folder));

it('stops at the first thing that fails, and does nothing of what waits behind it', async () => {
	const writer = new FolderWriter(new AbortController().signal);
	const after = path.join(folder, 'after');
	try {
		const bytes = () => Buffer.alloc(8);
		// All of it waits for the thread before it has begun.
		await writer.write([{ kind: 'file', path: FULL, mode: 0o600 }], bytes());
		await writer.write([{ kind: 'bytes', from: 0, to: 8 }], bytes());
		await writer.write([{ kind: 'folder', path: after, mode: 0o700 }], bytes());
		await expect(writer.finish()).rejects.toMatchObject({ code: 'ENOSPC' });
		// As long as the thread would need for all that waits, and more.
		await delay(200);
		expect(fs.existsSync(after)).toBe(false);
	} finally {
		await writer.stop();
	}
});
