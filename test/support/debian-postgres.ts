/**
 * The PostgreSQL server of Debian's newest package, which has minor releases that npm's packages do not have yet. It is
 * unpacked, not installed: what this machine has stays as it is.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** @returns a folder for `startServer`, whose `native/bin` holds the programs */
export async function unpackDebianPostgres(): Promise<string> {
	const { stdout: about } = await run('apt-cache', ['show', '--no-all-versions', 'postgresql']);
	const name = /^Depends: .*\b(postgresql-\d+)\b/m.exec(about)![1]!;
	const { stdout: policy } = await run('apt-cache', ['policy', name]);
	const version = /Candidate: (\S+)/.exec(policy)![1]!;
	const folder = path.join(os.tmpdir(), `n8n-nodes-backup-debian-${name}-${version}`);
	if (fs.existsSync(folder)) return folder;
	const half = fs.mkdtempSync(`${folder}-`);
	await run('apt-get', ['download', `${name}=${version}`], { cwd: half });
	const [file] = fs.readdirSync(half).filter((each) => each.endsWith('.deb'));
	await run('dpkg-deb', ['-x', file!, half], { cwd: half });
	fs.rmSync(path.join(half, file!));
	fs.symlinkSync(`usr/lib/postgresql/${name.split('-')[1]}`, path.join(half, 'native'));
	await run('chmod', ['-R', 'a+rX', half]);
	// Another run may have been faster; then its folder is as good as ours.
	await fs.promises.rename(half, folder).catch(() => fs.rmSync(half, { recursive: true }));
	return folder;
}
