/** Where the contenders store: a folder, and a bucket of a real S3 server (Ceph's RADOS gateway) on this machine. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { Ceph } from '../test/support/ceph.ts';
import { output } from './measure.ts';

export type DestinationName = 'folder' | 's3';

export interface Destination {
	readonly name: DestinationName;
	/** For the heading of its table. */
	readonly title: string;
	/** What programs need to know to get in. */
	readonly env: Record<string, string>;
	/** As our command line wants it. */
	readonly storage: string;
	/** As restic wants it. */
	readonly repository: string;
	/** Shell: what ends a pipeline so that its output is stored under a name. */
	sink(name: string): string;
	/** Shell: writes the one file of that name, wherever it lies. */
	source(name: string): string;
	/** Shell: lists every object with its size and time. */
	readonly list: string;
	/** Bytes of all that lies there. */
	size(): Promise<number>;
	/** Removes all that lies there. */
	clear(): Promise<void>;
	/** Gives back the room of what was removed: until then a server that is full takes nothing more, and does not say so. */
	readonly reclaim: () => Promise<void>;
	close(): Promise<void>;
}

const BUCKET = 'bench';

/** @param parent where to make the folder, which `close` removes */
export async function folderDestination(parent: string): Promise<Destination> {
	const dir = await fs.mkdtemp(path.join(parent, 'bench-'));
	const files = async () =>
		(await fs.readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
	return {
		name: 'folder',
		title: 'Into a folder',
		env: {},
		storage: `file://${dir}`,
		repository: path.join(dir, 'restic'),
		sink: (name) => `> ${dir}/${name}`,
		source: (name) => `find ${dir} -name ${name} -exec cat {} +`,
		list: `find ${dir} -type f -printf '%p %s %T@\\n'`,
		async size() {
			const sizes = (await files()).map(async (file) => (await fs.stat(path.join(file.parentPath, file.name))).size);
			return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
		},
		async clear() {
			for (const name of await fs.readdir(dir)) await fs.rm(path.join(dir, name), { recursive: true });
		},
		reclaim: async () => undefined,
		close: () => fs.rm(dir, { recursive: true, force: true }),
	};
}

/**
 * The server keeps everything in memory, so that no disk is measured. The piped contenders need somebody who uploads:
 * rclone, the one in Debian that takes a stream of unknown length, in parallel parts.
 */
export async function s3Destination(signal: AbortSignal): Promise<Destination> {
	const ceph = await Ceph.start({ store: 'memstore' });
	const [accessKey, secretKey] = [randomBytes(10).toString('hex'), randomBytes(20).toString('hex')];
	const endpoint = `http://127.0.0.1:${ceph.port}`;
	const env = {
		AWS_ACCESS_KEY_ID: accessKey,
		AWS_SECRET_ACCESS_KEY: secretKey,
		RCLONE_CONFIG_BENCH_TYPE: 's3',
		RCLONE_CONFIG_BENCH_PROVIDER: 'Ceph',
		RCLONE_CONFIG_BENCH_ENV_AUTH: 'true',
		RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
		RCLONE_CONFIG: '/dev/null',
	};
	const rclone = async (command: string) => await output(`rclone -q ${command}`, { env, signal });
	// The server forgets removed bytes after two hours, or now.
	const reclaim = async () => void (await ceph.admin('gc', 'process', '--include-all'));
	try {
		const keys = [`--access-key=${accessKey}`, `--secret-key=${secretKey}`];
		await ceph.admin('user', 'create', '--uid=bench', '--display-name=bench', ...keys);
		await rclone(`mkdir bench:${BUCKET}`);
	} catch (error) {
		await awake(() => ceph.stop());
		throw error;
	}
	return {
		name: 's3',
		title: 'Into S3 (Ceph RADOS gateway on the same machine)',
		env,
		storage: `s3://${BUCKET}?endpoint=${endpoint}&region=us-east-1`,
		repository: `s3:${endpoint}/${BUCKET}/restic`,
		sink: (name) => `| rclone -q rcat bench:${BUCKET}/${name}`,
		source: (name) => `rclone -q cat bench:${BUCKET} --include '**${name}'`,
		list: `rclone -q lsf -R --fast-list --use-server-modtime --files-only --format pst bench:${BUCKET}`,
		size: async () => (JSON.parse(await rclone(`size --json bench:${BUCKET}`)) as { bytes: number }).bytes,
		async clear() {
			await rclone(`delete bench:${BUCKET}`);
			await reclaim();
		},
		reclaim,
		close: () => awake(() => ceph.stop()),
	};
}

/** Between two buckets of one remote rclone lets the server copy, which two servers could not do (see `--disable copy` too). */
export function secondRemote(env: Record<string, string>): Record<string, string> {
	const ofBench = Object.entries(env).filter(([name]) => name.startsWith('RCLONE_CONFIG_BENCH_'));
	return Object.fromEntries(ofBench.map(([name, value]) => [name.replace('BENCH', 'SECOND'), value]));
}

/** The server's processes do not keep ours alive, so that we would end before they have. */
async function awake<T>(work: () => Promise<T>): Promise<T> {
	const timer = setInterval(() => undefined, 1000);
	try {
		return await work();
	} finally {
		clearInterval(timer);
	}
}
