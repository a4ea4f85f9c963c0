/**
 * npm run bench -- <name> [options]: sets up everything a benchmark needs, then runs `bench/<name>.ts`, in a fresh clone on
 * a bare machine as well.
 *
 *   npm run bench -- dump                                  the whole comparison, into a folder and into S3
 *   npm run bench -- dump --size 100M --runs 1 --to folder a first impression
 *   npm run bench -- restore                               restore and verify, against age, zstd, psql and sha256sum
 *   npm run bench -- drill                                 restore drills, against a throw-away server
 *   npm run bench -- copy                                  backups between folders, S3 and SFTP, against rclone, s3cmd and sftp
 *   npm run bench -- files                                trees of files, against tar, restic and borg
 *   npm run bench -- bucket                                buckets, against rclone, tar and restic
 *   npm run bench -- physical                              base backups and log, against pg_basebackup and pgBackRest
 *   npm run bench -- catalog                               retention's view of 100,000 backups, against bare listings
 *   npm run bench -- status                                health and page of 100,000 backups, against bare listings
 */
import fs from 'node:fs';
import path from 'node:path';
import { cleanUpOnSignals, report } from './lib/cleanup.mjs';
import { installPrograms, PROGRAMS } from './lib/debian.mjs';
import { underNode24 } from './lib/node24.mjs';
import { ROOT } from './lib/paths.mjs';
import { step } from './lib/progress.mjs';
import { installProject } from './lib/project.mjs';
import { exitCode, run } from './lib/run.mjs';

/** What we are compared with, besides the programs that the tests use, by benchmark: which Debian package brings it. */
const COMPARED = {
	dump: { restic: 'restic', rclone: 'rclone', gzip: 'gzip' },
	catalog: { rclone: 'rclone' },
	copy: { rclone: 'rclone', s3cmd: 's3cmd', sftp: 'openssh-client' },
	bucket: { rclone: 'rclone', restic: 'restic', fusermount: 'fuse3' },
	status: { rclone: 'rclone' },
	files: { restic: 'restic', borg: 'borgbackup', zstd: 'zstd' },
	physical: {
		rclone: 'rclone',
		pgbackrest: 'pgbackrest',
		pg_basebackup: 'postgresql-client',
		'../lib/postgresql/15/bin/pgbench': 'postgresql',
	},
};
/** Node runs TypeScript itself; the S3 server of the tests has constructor properties, which it must transform. */
const TYPESCRIPT = [
	'--experimental-transform-types',
	'--disable-warning=ExperimentalWarning',
	'--disable-warning=MODULE_TYPELESS_PACKAGE_JSON',
	'--import=./bench/typescript.mjs',
];

const [name = '', ...options] = process.argv.slice(2);

cleanUpOnSignals();
try {
	process.exitCode = await bench();
} catch (error) {
	report(error);
}

async function bench() {
	const file = path.join('bench', `${name}.ts`);
	if (!/^\w+$/.test(name) || !fs.existsSync(path.join(ROOT, file))) {
		throw new Error(
			'say which benchmark: npm run bench -- dump, filters, restore, drill, copy, files, bucket, physical, catalog or status',
		);
	}
	await underNode24();
	await installProject();
	await installPrograms({ ...PROGRAMS, ...COMPARED[name] });
	await step('build', () => run('npm', ['run', '--silent', 'build'], { cwd: ROOT, quiet: true }));
	return await exitCode(process.execPath, [...TYPESCRIPT, file, ...options], { cwd: ROOT });
}
