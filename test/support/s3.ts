/**
 * A real S3 server for tests, and what they do to it.
 *
 * One server can serve a whole run: jest's globalSetup calls `globalStart`, and `sharedS3` finds it. A test file that runs
 * without it gets a server of its own.
 */
import { randomBytes } from 'node:crypto';
import { Client } from 'minio';
import type { S3Options } from '../../core/storage/s3/s3';
import { Ceph, type CephOptions } from './ceph';

export interface S3Keys {
	accessKey: string;
	secretKey: string;
}

export interface S3User extends S3Keys {
	id: string;
}

/** What another process needs to know about a server. */
interface Shared {
	dir: string;
	port: number;
	keys: S3Keys;
	ca?: string;
}

export class S3Server {
	constructor(
		private readonly ceph: Ceph,
		/** Of a user that may do everything with its own buckets. */
		readonly keys: S3Keys,
		/** PEM of the authority, when it speaks TLS. */
		readonly ca?: string,
	) {}

	get endpoint(): string {
		return `${this.ca ? 'https' : 'http'}://127.0.0.1:${this.ceph.port}`;
	}

	/** For S3Storage: a bucket of this server, or of another name or user. */
	options(bucket: string, more: Partial<S3Options> = {}): S3Options {
		return { endpoint: this.endpoint, bucket, ...this.keys, ca: this.ca, ...more };
	}

	/** A plain client, to look behind the storage's back. */
	client(keys: S3Keys = this.keys): Client {
		const { hostname, port, protocol } = new URL(this.endpoint);
		const client = new Client({
			endPoint: hostname,
			port: Number(port),
			useSSL: protocol === 'https:',
			region: 'us-east-1',
			...keys,
		});
		if (this.ca) client.setRequestOptions({ ca: this.ca });
		return client;
	}

	/** @returns its name, unique by default */
	async makeBucket(name = `test-${randomBytes(6).toString('hex')}`, owner: S3Keys = this.keys): Promise<string> {
		await this.client(owner).makeBucket(name);
		return name;
	}

	/** One whose objects can be locked; it keeps versions. @returns its name */
	async makeLockBucket(): Promise<string> {
		const name = `test-${randomBytes(6).toString('hex')}`;
		await this.client().makeBucket(name, 'us-east-1', { ObjectLocking: true });
		return name;
	}

	/** Every version and delete marker in a bucket, by name, newest first: "name@id", markers as "name@id (marker)". */
	async versions(bucket: string): Promise<string[]> {
		const listed = this.client().listObjects(bucket, '', true, { IncludeVersion: true });
		const found = (await listed.toArray()) as { name: string; versionId: string; isDeleteMarker: boolean }[];
		return found.map(
			({ name, versionId, isDeleteMarker }) => `${name}@${versionId}${isDeleteMarker ? ' (marker)' : ''}`,
		);
	}

	/** A user with buckets of its own; a read-only one cannot even make these. */
	async makeUser(options: { readOnly?: boolean } = {}): Promise<S3User> {
		const id = `user-${randomBytes(6).toString('hex')}`;
		const keys = newKeys();
		await this.ceph.admin('user', 'create', `--uid=${id}`, `--display-name=${id}`, ...keyArguments(keys));
		if (options.readOnly) await this.ceph.admin('user', 'modify', `--uid=${id}`, '--op-mask=read');
		return { id, ...keys };
	}

	/** From now on the user may read and write, and remove nothing. */
	async makeAppendOnly(user: S3User): Promise<void> {
		await this.ceph.admin('user', 'modify', `--uid=${user.id}`, '--op-mask=read, write');
	}

	/** From now on the user may do everything with its own buckets, as at first. */
	async makeAdministrator(user: S3User): Promise<void> {
		await this.ceph.admin('user', 'modify', `--uid=${user.id}`, '--op-mask=read, write, delete');
	}

	/** From now on the user may not do anything but read. */
	async makeReadOnly(user: S3User): Promise<void> {
		await this.ceph.admin('user', 'modify', `--uid=${user.id}`, '--op-mask=read');
	}

	/** Limits the bytes of all of a user's buckets. */
	async setQuota(user: S3User, bytes: number): Promise<void> {
		await this.ceph.admin('quota', 'set', '--quota-scope=user', `--uid=${user.id}`, `--max-size=${bytes}`);
		await this.ceph.admin('quota', 'enable', '--quota-scope=user', `--uid=${user.id}`);
	}

	/** Names of unfinished uploads. */
	async unfinished(bucket: string): Promise<string[]> {
		return (await this.client().listIncompleteUploadsQuery(bucket, '', '', '', '')).uploads.map(({ key }) => key);
	}

	async kill(): Promise<void> {
		await this.ceph.kill();
	}

	/** Starts it again after `kill`. What lay in memory only is lost. */
	async restart(): Promise<void> {
		await this.ceph.restart();
	}

	async stop(): Promise<void> {
		await this.ceph.stop();
	}

	/** @internal */
	get shared(): Shared {
		return { dir: this.ceph.dir, port: this.ceph.port, keys: this.keys, ca: this.ca };
	}
}

export async function startS3(options: CephOptions = {}): Promise<S3Server> {
	const ceph = await Ceph.start(options);
	const keys = newKeys();
	await ceph.admin('user', 'create', '--uid=test', '--display-name=test', ...keyArguments(keys));
	return new S3Server(ceph, keys, ceph.ca);
}

const SHARED = 'TEST_S3_SERVER';
let started: S3Server | undefined;

/** For jest's globalSetup: its workers inherit the environment. */
export async function globalStart(): Promise<void> {
	started = await startS3();
	process.env[SHARED] = JSON.stringify(started.shared);
}

/** For jest's globalTeardown. */
export async function globalStop(): Promise<void> {
	await started?.stop();
	started = undefined;
	delete process.env[SHARED];
}

/** The run's server, or one for this test file. Its buckets are common: use new ones. Call it in a describe block. */
export function sharedS3(): () => S3Server {
	let server: S3Server | undefined;
	let isOwn = false;
	beforeAll(async () => {
		const known = process.env[SHARED];
		isOwn = known === undefined;
		if (known === undefined) {
			server = await startS3();
		} else {
			const { dir, port, keys, ca } = JSON.parse(known) as Shared;
			server = new S3Server(Ceph.at(dir, port), keys, ca);
		}
	}, 120_000);
	afterAll(async () => {
		if (isOwn) await server?.stop();
	});
	return () => {
		if (!server) throw new Error('the S3 server is there only while tests run');
		return server;
	};
}

function newKeys(): S3Keys {
	return { accessKey: randomBytes(10).toString('hex'), secretKey: randomBytes(20).toString('hex') };
}

function keyArguments({ accessKey, secretKey }: S3Keys): string[] {
	return [`--access-key=${accessKey}`, `--secret-key=${secretKey}`];
}
