/** How the server shall keep objects: what is asked of it, and what is refused before anything is sent. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { BucketObjects } from '../../../core/storage/s3/objects';
import { type S3Options, S3Storage } from '../../../core/storage/s3/s3';
import { parseStorageUrl } from '../../../core/storage/url';
import { toStorageConfig } from '../../../nodes/shared/credentials';
import { sharedS3 } from '../../support/s3';
import { S3Proxy } from '../../support/s3-proxy';
import { randomStream } from '../conformance';
import { FAST, MIB } from './subject';

const server = sharedS3();
const open: S3Storage[] = [];
let proxy: S3Proxy;
let bucket: string;
beforeAll(async () => {
	proxy = await S3Proxy.start(server().endpoint);
	bucket = await server().makeBucket();
});
afterAll(async () => await proxy?.stop());
beforeEach(() => {
	proxy.let(() => 'pass');
	proxy.seen.length = 0;
});
afterEach(async () => await Promise.all(open.splice(0).map((storage) => storage.close())));

const options = (more: Partial<S3Options>) => server().options(bucket, { ...FAST, endpoint: proxy.endpoint, ...more });

function storage(more: Partial<S3Options>): S3Storage {
	const made = new S3Storage(options(more));
	open.push(made);
	return made;
}

/** The headers of the requests that make objects, by the objects' names. */
function headersOf(header: string): Record<string, unknown> {
	const making = proxy.seen.filter(({ method, url }) => method === 'PUT' && !url.includes('partNumber'));
	const initiating = proxy.seen.filter(({ method, url }) => method === 'POST' && url.endsWith('?uploads'));
	const found = [...making, ...initiating].map(({ url, headers }) => [url.split(/[/?]/)[2], headers[header] ?? null]);
	return Object.fromEntries(found) as Record<string, unknown>;
}

it('puts what is large into the storage class, and what is small where it costs nothing to remove it', async () => {
	const subject = storage({ storageClass: 'STANDARD' });
	await subject.write('small', Readable.from([randomBytes(128 * 1024 - 1)]));
	await subject.write('middle', Readable.from([randomBytes(128 * 1024)]));
	await subject.write('large', randomStream(11 * MIB));
	expect(headersOf('x-amz-storage-class')).toEqual({ small: null, middle: 'STANDARD', large: 'STANDARD' });
});

it('does so with the objects of a bucket that is restored', async () => {
	const objects = new BucketObjects(options({ storageClass: 'STANDARD' }), 'restore');
	const { signal } = new AbortController();
	for (const [name, size] of [
		['few', 10],
		['many', 200_000],
	] as const) {
		await objects.write(name, Readable.from([randomBytes(size)]), { headers: {}, tags: {}, replace: false, signal });
	}
	objects.close();
	expect(headersOf('x-amz-storage-class')).toEqual({ few: null, many: 'STANDARD' });
});

it('says that the server does not know the storage class, and leaves nothing', async () => {
	proxy.let(({ method }) => (method === 'PUT' ? { status: 400, code: 'InvalidStorageClass' } : 'pass'));
	const subject = storage({ storageClass: 'LUKEWARM' });
	await expect(subject.write('unknown', Readable.from([randomBytes(MIB)]))).rejects.toMatchObject({
		...{ code: 'invalid-input', message: expect.stringMatching(/does not know the storage class/) as string },
	});
	expect(await subject.stat('unknown')).toBeNull();
});

it('asks for encryption with a key of KMS', async () => {
	// The server of the tests has no KMS.
	const made = { status: 200, headers: { etag: '"not-an-md5"' } } as const;
	proxy.let(({ method }) => (method === 'PUT' ? made : { status: 200, headers: { 'content-length': '1' } }));
	const objects = new BucketObjects(options({ serverSideEncryption: 'aws:kms', kmsKey: 'alias/backups' }), 'restore');
	const { signal } = new AbortController();
	await objects.write('one', Readable.from([Buffer.from('x')]), { headers: {}, tags: {}, replace: false, signal });
	objects.close();
	expect(headersOf('x-amz-server-side-encryption')).toEqual({ one: 'aws:kms' });
	expect(headersOf('x-amz-server-side-encryption-aws-kms-key-id')).toEqual({ one: 'alias/backups' });
});

it('says what is wrong with a key of KMS, and which rights it needs', async () => {
	proxy.let(({ method }) => (method === 'PUT' ? { status: 400, code: 'KMS.DisabledException' } : 'pass'));
	const subject = storage({ serverSideEncryption: 'aws:kms', kmsKey: 'alias/backups' });
	await expect(subject.write('unknown', Readable.from(['x']))).rejects.toMatchObject({
		code: 'access-denied',
		message: expect.stringMatching(/the KMS key cannot be used \(KMS.DisabledException\)/) as string,
		hint: expect.stringContaining('kms:GenerateDataKey') as string,
	});
});

it('says of an object in a cold storage class how to have it restored first', async () => {
	const subject = storage({});
	await subject.write('cold', Readable.from(['x']));
	proxy.let(({ method }) => (method === 'GET' ? { status: 403, code: 'InvalidObjectState' } : 'pass'));
	await expect(subject.read('cold')).rejects.toMatchObject({
		code: 'unsupported',
		message: expect.stringMatching(/cannot read .*cold: it lies in a cold storage class/) as string,
		hint: expect.stringContaining('aws s3api restore-object --bucket BUCKET --key KEY') as string,
	});
});

it.each([
	['a class from which nothing can be read', { storageClass: 'DEEP_ARCHIVE' }, /too cold/],
	['the same, however it is written', { storageClass: 'Glacier' }, /too cold/],
	['an invalid class', { storageClass: 'a b' }, /storage class cannot be used/],
	['a key without the encryption', { kmsKey: 'alias/x' }, /a KMS key is given/],
	['a key with the other encryption', { kmsKey: 'alias/x', serverSideEncryption: 'AES256' }, /a KMS key is given/],
	['an invalid key', { kmsKey: 'a\r\nb', serverSideEncryption: 'aws:kms' }, /the KMS key cannot be used/],
] as const)('%s is refused at once', (_, more, message) => {
	expect(() => storage(more)).toThrow(
		expect.objectContaining({ code: 'invalid-input', message: expect.stringMatching(message) as string }),
	);
});

it('credential and URL say it alike', () => {
	const wanted = { serverSideEncryption: 'aws:kms', kmsKey: 'alias/b', storageClass: 'STANDARD_IA' };
	const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };
	expect(parseStorageUrl('s3://b?sse=aws:kms&kmsKey=alias/b&storageClass=STANDARD_IA', env)).toMatchObject(wanted);
	expect(toStorageConfig({ type: 's3', bucket: 'b', ...wanted })).toMatchObject(wanted);
	expect(toStorageConfig({ type: 's3', bucket: 'b', serverSideEncryption: '' })).toMatchObject({
		...{ serverSideEncryption: undefined, kmsKey: undefined, storageClass: undefined },
	});
});
