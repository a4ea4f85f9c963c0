/** n8n-backup archive, as a process of its own. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/command-line';
import { manifestsBelow } from '../support/stored-files';

let top: string;
beforeEach(() => {
	top = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'archive-')));
	fs.mkdirSync(path.join(top, 'backups/server'), { recursive: true });
	fs.writeFileSync(path.join(top, 'file'), 'text');
});
afterEach(() => fs.rmSync(top, { recursive: true, force: true }));

async function archive(...more: string[]) {
	const storage = ['--storage', `file://${top}/backups/server`, '--group', 'files/all', '--no-encryption', '--json'];
	return await run(['archive', ...storage, '--path', top, ...more]);
}

it('stores no backups of backups: a storage in what is archived is refused, unless it is left out', async () => {
	fs.symlinkSync(top, `${top}-link`);
	try {
		// One after the other: both want the lock of one group.
		const plain = await archive();
		const throughLink = await archive('--path', `${top}-link`);
		for (const { code, stderr } of [plain, throughLink]) {
			expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(`lies in ${top}`) });
		}
		expect(plain.stderr).toContain('/backups/server/');
		expect(manifestsBelow(top)).toEqual([]);
		const { code, stdout } = await archive('--exclude', '/backups/');
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({ source: { details: { files: 1, folders: 1 } } });
	} finally {
		fs.rmSync(`${top}-link`);
	}
});
