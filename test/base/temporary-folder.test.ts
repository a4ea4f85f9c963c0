import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createTemporaryFolder, removeTemporaryFolder } from '../../core/base/temporary-folder';

it.each(['scratch', 'program'] as const)(
	'a temporary folder (%s) is for nobody else, and the next one removes what killed processes left',
	async (purpose) => {
		const { pid: gone } = spawnSync('true');
		const make = (pid: number, hours: number) => {
			const folder = fs.mkdtempSync(path.join(os.tmpdir(), `n8n-backup-${purpose}-${pid}-`));
			fs.writeFileSync(path.join(folder, 'pgpass'), 'secret');
			const then = Date.now() / 1000 - hours * 3600;
			fs.utimesSync(folder, then, then);
			return folder;
		};
		const [old, young, running] = [make(gone, 2), make(gone, 0), make(process.ppid, 2)];
		const folder = await createTemporaryFolder(purpose);
		try {
			expect(fs.statSync(folder).mode & 0o777).toBe(0o700);
			expect([old, young, running].map((each) => fs.existsSync(each))).toEqual([false, true, true]);
		} finally {
			for (const each of [old, young, running]) fs.rmSync(each, { recursive: true, force: true });
			await removeTemporaryFolder(folder);
		}
		expect(fs.existsSync(folder)).toBe(false);
	},
);
