/** Programs that the tests use as judges and servers, from Debian packages. The product itself needs none of them. */
import fs from 'node:fs';
import path from 'node:path';
import { say, step } from './progress.mjs';
import { exitCode, run } from './run.mjs';

/** Which package brings a program that the tests use. */
export const PROGRAMS = {
	age: 'age',
	bsdtar: 'libarchive-tools',
	zstd: 'zstd',
	psql: 'postgresql-client',
	pg_dump: 'postgresql-client',
	pgbouncer: 'pgbouncer',
	radosgw: 'radosgw',
	'radosgw-admin': 'radosgw',
	'ceph-mon': 'ceph-mon',
	'ceph-osd': 'ceph-osd',
	curl: 'curl',
	openssl: 'openssl',
	sshd: 'openssh-server',
	'locale-gen': 'locales',
	'ssh-keygen': 'openssh-client',
	chromium: 'chromium',
	promtool: 'prometheus',
	rclone: 'rclone',
};

/** Debian starts the services it installs. Tests start their own, so a policy forbids it meanwhile. */
const INSTALL = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' INT TERM HUP
	printf '#!/bin/sh\\nexit 101\\n' > "$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends "$@"
`;

/**
 * @param {Record<string, string>} [packageOf] by program
 * @returns {string[]} the packages of the programs that are not there
 */
export function missingPackages(packageOf = PROGRAMS) {
	const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];
	const isThere = (/** @type {string} */ program) =>
		folders.some((folder) => fs.existsSync(path.join(folder, program)));
	const missing = Object.entries(packageOf).filter(([program]) => !isThere(program));
	return [...new Set(missing.map(([, name]) => name))];
}

/**
 * Installs what is missing, where we may; else says how to.
 * @param {Record<string, string>} [packageOf] by program
 * @throws Error with the command to run
 */
export async function installPrograms(packageOf = PROGRAMS) {
	const packages = missingPackages(packageOf);
	if (packages.length === 0) return;
	const command = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;
	const become = await rootCommand();
	if (!become)
		throw new Error(`programs are needed that are not installed. Run this as root, then start again:\n  ${command}`);
	say(`programs are missing: ${packages.join(' ')}`);
	await step(`install ${packages.length} Debian packages`, () =>
		run(become[0], [...become.slice(1), '-c', INSTALL, 'install', ...packages], { quiet: true }),
	);
	const still = missingPackages(packageOf);
	if (still.length > 0) throw new Error(`still missing after ${command}: ${still.join(' ')}`);
}

/** @returns {Promise<[string, ...string[]] | null>} how to run a shell as root without a password, on Debian and its relatives */
async function rootCommand() {
	if (!fs.existsSync('/usr/bin/apt-get')) return null;
	if (process.getuid?.() === 0) return ['sh'];
	if (!fs.existsSync('/usr/bin/sudo')) return null;
	return (await exitCode('sudo', ['-n', 'true'], { quiet: true })) === 0 ? ['sudo', '-n', 'sh'] : null;
}
