/** Where figures come from: the shape of the machine and the versions of the programs. */
import os from 'node:os';
import { output } from './measure.ts';

/** Shell commands that print a version somewhere in their output, by the name of what they are. */
const VERSIONS = {
	pg_dump: 'pg_dump --version',
	psql: 'psql --version',
	pg_basebackup: 'pg_basebackup --version',
	pgbackrest: 'pgbackrest version',
	pgbench: 'pgbench --version',
	sha256sum: 'sha256sum --version',
	zstd: 'zstd --version',
	age: 'age --version',
	restic: 'restic version',
	gzip: 'gzip --version',
	openssl: 'openssl version',
	rclone: 'rclone version',
	s3cmd: 's3cmd --version',
	Ceph: 'ceph --version',
	OpenSSH: 'ssh -V 2>&1',
};

/** "2 cores, Intel …, 24 GB of memory, Linux 6.1, Node 24.21.0" */
export function machineShape(): string {
	const cpus = os.cpus();
	return [
		`${cpus.length} core${cpus.length === 1 ? '' : 's'} (${cpus[0]?.model.trim() ?? 'unknown'})`,
		`${Math.round(os.totalmem() / 1024 ** 3)} GiB of memory`,
		`${os.type()} ${os.release().split('-')[0]}`,
		`Node ${process.versions.node}`,
	].join(', ');
}

/** "pg_dump 15.18, zstd 1.5.4, …" */
export async function programVersions(
	names: ReadonlyArray<keyof typeof VERSIONS>,
	signal: AbortSignal,
): Promise<string> {
	const versions = names.map(async (name) => {
		const text = await output(VERSIONS[name], { env: {}, signal });
		return `${name} ${/\d+(\.\d+)+/.exec(text)?.[0] ?? text}`;
	});
	return (await Promise.all(versions)).join(', ');
}
