/**
 * PostgreSQL from Debian's packages: a server with minor releases that npm's packages do not have yet, and programs that they
 * do not have at all. They are unpacked, not installed: what this machine has stays as it is.
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
	return await madeOnce(`debian-${name}-${version}`, async (half) => {
		await unpack([`${name}=${version}`], half);
		fs.symlinkSync(`usr/lib/postgresql/${name.split('-')[1]}`, path.join(half, 'native'));
	});
}

/**
 * `pg_combinebackup` and `pg_verifybackup` of PostgreSQL 17, from Debian 13, with that one's own C library: an older Debian has
 * neither, and runs them so.
 * @returns a folder of programs for PATH
 */
export async function unpackBackupPrograms(): Promise<string> {
	const folder = await madeOnce('debian-13-postgresql-17', async (half) => {
		const apt = await packagesOf('trixie', half);
		const libraries = ['libc6', 'libpq5', 'libssl3t64', 'zlib1g', 'liblz4-1', 'libzstd1'];
		await unpack(['postgresql-client-17', ...libraries], half, apt);
		fs.mkdirSync(path.join(half, 'bin'));
		for (const program of ['pg_combinebackup', 'pg_verifybackup']) {
			const script = [
				'#!/bin/sh',
				'top=$(dirname "$0")/..',
				'exec "$top"/usr/lib64/ld-linux-*.so.* --library-path "$(echo "$top"/usr/lib/*-linux-gnu)" \\',
				`	"$top/usr/lib/postgresql/17/bin/${program}" "$@"`,
			];
			fs.writeFileSync(path.join(half, 'bin', program), `${script.join('\n')}\n`, { mode: 0o755 });
		}
	});
	return path.join(folder, 'bin');
}

/** @param fill fills a new folder @returns one that is whole */
async function madeOnce(name: string, fill: (half: string) => Promise<void>): Promise<string> {
	const folder = path.join(os.tmpdir(), `n8n-nodes-backup-${name}`);
	if (fs.existsSync(folder)) return folder;
	const half = fs.mkdtempSync(`${folder}-`);
	await fill(half);
	await run('chmod', ['-R', 'a+rX', half]);
	// Another run may have been faster; then its folder is as good as ours.
	await fs.promises.rename(half, folder).catch(() => fs.rmSync(half, { recursive: true }));
	return folder;
}

async function unpack(packages: string[], half: string, env: NodeJS.ProcessEnv = process.env): Promise<void> {
	await run('apt-get', ['download', ...packages], { cwd: half, env });
	for (const file of fs.readdirSync(half).filter((each) => each.endsWith('.deb'))) {
		await run('dpkg-deb', ['-x', file, half], { cwd: half });
		fs.rmSync(path.join(half, file));
	}
}

/** Has apt know the packages of another release of Debian, and nothing of this machine. @returns its environment */
async function packagesOf(release: string, folder: string): Promise<NodeJS.ProcessEnv> {
	const state = path.join(folder, 'apt');
	for (const each of ['lists/partial', 'cache/archives/partial'])
		fs.mkdirSync(path.join(state, each), { recursive: true });
	fs.writeFileSync(path.join(state, 'status'), '');
	fs.writeFileSync(path.join(state, 'sources.list'), `deb http://deb.debian.org/debian ${release} main\n`);
	const settings = {
		...{
			'Dir::State': state,
			'Dir::State::status': path.join(state, 'status'),
			'Dir::Cache': path.join(state, 'cache'),
		},
		...{ 'Dir::Etc::sourcelist': path.join(state, 'sources.list'), 'Dir::Etc::sourceparts': '-' },
		'Acquire::Languages': 'none',
	};
	const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
	fs.writeFileSync(path.join(state, 'apt.conf'), lines.join(''));
	const env = { ...process.env, APT_CONFIG: path.join(state, 'apt.conf') };
	await run('apt-get', ['update'], { env });
	return env;
}
