/** Each way in which S3 refuses has its own code, message and hint. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BackupError } from '../../../core/base/errors';
import { S3Storage, type S3Options } from '../../../core/storage/s3/s3';
import { freePort } from '../../support/ceph';
import { sharedS3, startS3, type S3Server } from '../../support/s3';
import { S3Proxy, type Fate } from '../../support/s3-proxy';
import { makeCertificates } from '../../support/tls';
import { randomStream } from '../conformance';
import { FAST, MIB } from './subject';

const shared = sharedS3();
const open: S3Storage[] = [];
let bucket: string;
beforeAll(async () => {
	bucket = await shared().makeBucket();
});
afterEach(async () => {
	await Promise.all(open.splice(0).map((storage) => storage.close()));
});

function storage(more: Partial<S3Options> = {}, server: S3Server = shared()): S3Storage {
	const made = new S3Storage(server.options(bucket, { ...FAST, ...more }));
	open.push(made);
	return made;
}

/** The errors of every operation that asks the server. */
async function errorsOf(subject: S3Storage): Promise<BackupError[]> {
	const attempts = [
		() => subject.write('key', Readable.from(['x'])),
		() => subject.write('large', randomStream(11 * MIB)),
		() => subject.read('key'),
		() => subject.stat('key'),
		() => subject.list('')[Symbol.asyncIterator]().next(),
		() => subject.remove('key'),
		() => subject.removeUnfinished(''),
	];
	return await Promise.all(attempts.map(errorOf));
}

async function errorOf(attempt: () => Promise<unknown>): Promise<BackupError> {
	return (await attempt().then(
		(value) => expect(value).toBe('an error'),
		(error: unknown) => error,
	)) as BackupError;
}

const codes = (errors: BackupError[]) => [...new Set(errors.map(({ code }) => code))];

it('says wrong-credentials for an unknown access key, in every operation', async () => {
	const errors = await errorsOf(storage({ accessKey: 'unknown' }));
	expect(codes(errors)).toEqual(['wrong-credentials']);
	expect(errors[0]?.message).toContain('the access key is not known');
	expect(errors[0]?.hint).toContain('access key ID');
});

it('says wrong-credentials for a wrong secret, in every operation, and never shows it', async () => {
	const errors = await errorsOf(storage({ secretKey: 'not-the-secret' }));
	expect(codes(errors)).toEqual(['wrong-credentials']);
	expect(errors[0]?.message).toContain('the secret key is wrong');
	for (const { message, hint } of errors) expect(`${message}${hint}`).not.toContain('not-the-secret');
});

it('says bucket-not-found for a missing bucket, in every operation', async () => {
	const errors = await errorsOf(storage({ bucket: 'no-such-bucket' }));
	expect(codes(errors)).toEqual(['bucket-not-found']);
	expect(errors[0]?.hint).toContain('not created');
});

it('says access-denied for a bucket of somebody else, in every operation', async () => {
	const { accessKey, secretKey } = await shared().makeUser();
	const errors = await errorsOf(storage({ accessKey, secretKey }));
	expect(codes(errors)).toEqual(['access-denied']);
	expect(errors[0]?.hint).toContain('s3:PutObject');
});

it('says access-denied when a bucket policy refuses writes, and can still read', async () => {
	const guarded = await shared().makeBucket();
	const subject = storage({ bucket: guarded });
	await subject.write('key', Readable.from(['x']));
	const statement = {
		Effect: 'Deny',
		Principal: '*',
		Action: ['s3:PutObject', 's3:DeleteObject'],
		Resource: [`arn:aws:s3:::${guarded}/*`],
	};
	await shared()
		.client()
		.setBucketPolicy(guarded, JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
	expect(await errorOf(() => subject.write('new', Readable.from(['x'])))).toMatchObject({ code: 'access-denied' });
	expect(await errorOf(() => subject.write('large', randomStream(11 * MIB)))).toMatchObject({ code: 'access-denied' });
	expect(await errorOf(() => subject.remove('key'))).toMatchObject({ code: 'access-denied' });
	expect((await buffer(await subject.read('key'))).toString()).toBe('x');
});

it('says access-denied for a user that may only read', async () => {
	const user = await shared().makeUser();
	const own = await shared().makeBucket(undefined, user);
	const subject = storage({ bucket: own, accessKey: user.accessKey, secretKey: user.secretKey });
	await subject.write('key', Readable.from(['x']));
	await shared().makeReadOnly(user);
	expect(await errorOf(() => subject.write('new', Readable.from(['x'])))).toMatchObject({ code: 'access-denied' });
	expect((await buffer(await subject.read('key'))).toString()).toBe('x');
});

it('says storage-full when the quota is reached, with one part and with several, and leaves nothing', async () => {
	const user = await shared().makeUser();
	const own = await shared().makeBucket(undefined, user);
	await shared().setQuota(user, 8 * MIB);
	const subject = storage({ bucket: own, accessKey: user.accessKey, secretKey: user.secretKey });
	await subject.write('fits', randomStream(4.5 * MIB));
	const error = await errorOf(() => subject.write('one-part', randomStream(4.5 * MIB)));
	expect(error).toMatchObject({ code: 'storage-full' });
	expect(error.hint).toContain('quota');
	expect(await errorOf(() => subject.write('parts', randomStream(26 * MIB)))).toMatchObject({ code: 'storage-full' });
	expect((await subject.list('')[Symbol.asyncIterator]().next()).value).toMatchObject({ key: 'fits' });
	expect((await shared().client(user).listIncompleteUploadsQuery(own, '', '', '', '')).uploads).toEqual([]);
});

it('says unreachable when nothing listens there, in every operation', async () => {
	const errors = await errorsOf(storage({ endpoint: `http://127.0.0.1:${await freePort()}` }));
	expect(codes(errors)).toEqual(['unreachable']);
	expect(errors[0]?.message).toContain('ECONNREFUSED');
});

it('says unreachable for a host name that does not exist', async () => {
	const error = await errorOf(() => storage({ endpoint: 'http://no-such-host.invalid' }).stat('key'));
	expect(error).toMatchObject({ code: 'unreachable' });
});

it('says unreachable within the connect time-out when packets are dropped', async () => {
	// A listener whose queue is full does not answer further connections: what a firewall that drops looks like.
	const deaf = await deafServer();
	try {
		const started = Date.now();
		const subject = storage({ endpoint: `http://127.0.0.1:${deaf.port}`, connectTimeoutMs: 300 });
		expect(await errorOf(() => subject.stat('key'))).toMatchObject({ code: 'unreachable' });
		expect(Date.now() - started).toBeLessThan(3_000);
	} finally {
		await deaf.stop();
	}
});

it('says unreachable for a TLS server that accepts and then says nothing', async () => {
	const silent = net.createServer((socket) => socket.resume());
	await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
	const { port } = silent.address() as net.AddressInfo;
	const subject = storage({ endpoint: `https://127.0.0.1:${port}`, connectTimeoutMs: 300 });
	expect(await errorOf(() => subject.stat('key'))).toMatchObject({ code: 'unreachable' });
	await subject.close();
	await new Promise((resolve) => silent.close(resolve));
});

describe('a server with a certificate of its own authority', () => {
	let server: S3Server;
	beforeAll(async () => {
		server = await startS3({ tls: true });
		await server.makeBucket(bucket);
	}, 120_000);
	afterAll(() => server?.stop());

	it('says untrusted-certificate when nobody vouches for it, in every operation', async () => {
		const errors = await errorsOf(storage({ ca: undefined }, server));
		expect(codes(errors)).toEqual(['untrusted-certificate']);
		expect(errors[0]?.hint).toContain('certificate authority');
	});

	it('says untrusted-certificate when another authority vouches', async () => {
		const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'ca-'));
		const { caPem } = await makeCertificates(dir);
		await fs.rm(dir, { recursive: true });
		expect(await errorOf(() => storage({ ca: caPem }, server).stat('key'))).toMatchObject({
			code: 'untrusted-certificate',
		});
	});

	it('is trusted with its authority', async () => {
		expect(await storage({}, server).stat('key')).toBeNull();
	});

	it('asks for https when it is spoken to in http, and the other way round', async () => {
		const plain = await errorOf(() =>
			storage({ endpoint: server.endpoint.replace('https', 'http') }, server).stat('key'),
		);
		expect(plain).toMatchObject({ code: 'connection-lost', hint: expect.stringContaining('https://') });
		const tls = await errorOf(() => storage({ endpoint: shared().endpoint.replace('http', 'https') }).stat('key'));
		expect(tls).toMatchObject({ code: 'unreachable' });
		expect(tls.hint).toContain('http://');
	});
});

describe('answers of other servers', () => {
	let proxy: S3Proxy;
	beforeAll(async () => {
		proxy = await S3Proxy.start(shared().endpoint);
	});
	afterAll(() => proxy.stop());

	it.each<[string, Fate, Partial<BackupError>]>([
		[
			'the region',
			{ status: 400, code: 'AuthorizationHeaderMalformed', headers: { 'x-amz-bucket-region': 'eu-west-1' } },
			{ code: 'invalid-input', hint: 'Set the region to eu-west-1.' },
		],
		['an expired token', { status: 400, code: 'ExpiredToken' }, { code: 'wrong-credentials' }],
		['a wrong clock', { status: 403, code: 'RequestTimeTooSkewed' }, { code: 'storage-failed' }],
		['a full MinIO', { status: 507, code: 'XMinioStorageFull' }, { code: 'storage-full' }],
		['a full server without a reason', { status: 507 }, { code: 'storage-full' }],
		['a missing function', { status: 501, code: 'NotImplemented' }, { code: 'unsupported' }],
		[
			'SlowDown',
			{ status: 503, code: 'SlowDown' },
			{ code: 'storage-failed', details: { s3Code: 'SlowDown', status: 503, transient: true } },
		],
		[
			'a gateway’s page',
			{ status: 502, body: '<html><title>Bad Gateway</title></html>' },
			{ code: 'storage-failed', details: { s3Code: 'HTTP 502', status: 502, transient: true } },
		],
		[
			'too many requests',
			{ status: 429 },
			{ code: 'storage-failed', details: { s3Code: 'HTTP 429', status: 429, transient: true } },
		],
		[
			'a strange refusal',
			{ status: 418, code: 'Teapot' },
			{ code: 'storage-failed', details: { s3Code: 'Teapot', status: 418 } },
		],
		['a closed connection', 'cut', { code: 'connection-lost' }],
	])('understands %s', async (_, fate, wanted) => {
		proxy.let(() => fate);
		const error = await errorOf(() => storage({ endpoint: proxy.endpoint }).read('key'));
		expect(error).toMatchObject(wanted);
	});
});

it.each(['ftp://host', 'host:9000', 'http://key:secret@host', 'http://host/path', 'http://host?x=1'])(
	'refuses the endpoint %s',
	(endpoint) => {
		expect(() => new S3Storage({ endpoint, bucket: 'abc', accessKey: 'a', secretKey: 'geheim' })).toThrow(
			expect.objectContaining({ code: 'invalid-input', message: expect.not.stringContaining('secret') }),
		);
	},
);

it.each(['ab', 'UPPER', 'under_score', 'a..b', '10.0.0.1', 'bucket/prefix'])('refuses the bucket %s', (name) => {
	expect(() => new S3Storage({ bucket: name, accessKey: 'a', secretKey: 'b' })).toThrow(
		expect.objectContaining({ code: 'invalid-input' }),
	);
});

/** A process that listens and never accepts: connections beyond its short queue get no answer. */
async function deafServer(): Promise<{ port: number; stop(): Promise<void> }> {
	const program = `
		const server = require('node:net').createServer();
		server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
			require('node:fs').writeSync(1, String(server.address().port));
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
		});`;
	const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
	const port = Number(await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve)));
	const fillers = [1, 2, 3].map(() => net.connect(port, '127.0.0.1').on('error', () => undefined));
	await new Promise((resolve) => fillers[0]?.once('connect', resolve));
	return {
		port,
		stop: async () => {
			for (const filler of fillers) filler.destroy();
			const gone = new Promise((resolve) => child.once('exit', resolve));
			child.kill('SIGKILL');
			await gone;
		},
	};
}
