/** The test of a bucket's credential: whether it could be backed up, and that nothing is written for that. */
import type { ICredentialDataDecryptedObject } from 'n8n-workflow';
import { backupStorageTest } from '../../../nodes/shared/credentials';
import { TestBucket } from '../../support/buckets';
import { type S3User, sharedS3 } from '../../support/s3';
import { S3Proxy } from '../../support/s3-proxy';

const server = sharedS3();
let proxy: S3Proxy;
let user: S3User;
let bucket: TestBucket;

beforeAll(async () => {
	proxy = await S3Proxy.start(server().endpoint);
	user = await server().makeUser();
});
afterAll(async () => await proxy?.stop());
beforeEach(async () => {
	await server().makeAdministrator(user);
	bucket = new TestBucket(server(), await server().makeBucket(undefined, user), user);
	proxy.let(() => 'pass');
	proxy.seen.length = 0;
});

/** What the Test button says. */
async function test(more: ICredentialDataDecryptedObject = {}) {
	const data = {
		...{ type: 's3', endpoint: proxy.endpoint, bucket: bucket.name, readOnly: true },
		...{ accessKeyId: user.accessKey, secretAccessKey: user.secretKey, ...more },
	};
	return await backupStorageTest.call({} as never, { id: '1', name: 'x', type: 'backupStorageApi', data });
}

it('passes for keys that may only list and read, and sends nothing that writes', async () => {
	// A name that no storage of ours has.
	await bucket.put('a//b?.jpg', { tags: { kind: 'photo' } });
	await server().makeReadOnly(user);
	expect(await test()).toEqual({
		status: 'OK',
		message: `s3://${bucket.name} can be listed and read; nothing was written`,
	});
	expect([...new Set(proxy.seen.map(({ method }) => method))]).toEqual(['GET']);
	expect(proxy.seen).toHaveLength(5);
	// As a storage of backups they will not do, and the same test says so.
	expect(await test({ readOnly: false })).toMatchObject({
		status: 'Error',
		message: expect.stringMatching(/cannot write .*access denied/) as string,
	});
});

it('says of an empty bucket that reading was not tried', async () => {
	expect(await test()).toMatchObject({ status: 'OK', message: expect.stringMatching(/can be listed, and is empty/) });
});

it.each([
	['listing', /\?.*max-keys/, /cannot list/],
	['reading', /\/a$/, /cannot read/],
	['reading tags', /tagging/, /cannot read the tags of/],
])('fails where %s is not allowed, and names the rights', async (_, url, message) => {
	await bucket.put('a');
	proxy.let((request) => (url.test(request.url) ? { status: 403, code: 'AccessDenied' } : 'pass'));
	const found = await test();
	expect(found).toMatchObject({ status: 'Error', message: expect.stringMatching(message) as string });
	expect(found.message).toContain('allow the key s3:ListBucket on it, and s3:GetObject and s3:GetObjectTagging');
});

it.each([
	['an object in a cold storage class', /\/a$/, { status: 403, code: 'InvalidObjectState' }],
	['a server without tags', /tagging/, { status: 501, code: 'NotImplemented' }],
])('passes for %s', async (_, url, fate) => {
	await bucket.put('a');
	proxy.let((request) => (url.test(request.url) ? fate : 'pass'));
	expect(await test()).toMatchObject({ status: 'OK' });
});

it('says which bucket is not there', async () => {
	expect(await test({ bucket: 'no-such-bucket' })).toMatchObject({
		status: 'Error',
		message: expect.stringMatching(/the bucket does not exist/) as string,
	});
});
