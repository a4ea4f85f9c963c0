/** Storage URLs of the command line, and the settings that n8n and the command line share. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createStorage, openStorage } from '../../core/storage/create';
import { parseStorageUrl } from '../../core/storage/url';

const KEYS = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'geheim' };

it('reads a folder', () => {
	expect(parseStorageUrl('file:///var/back%20ups', {})).toEqual({ type: 'folder', path: '/var/back ups' });
});

it('reads a bucket with everything', async () => {
	const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'ca-'));
	await fs.writeFile(path.join(dir, 'ca.pem'), 'PEM');
	const env = { ...KEYS, AWS_SESSION_TOKEN: 'token', AWS_REGION: 'ignored', AWS_CA_BUNDLE: path.join(dir, 'ca.pem') };
	const url =
		's3://backups/n8n/my%20prod/?endpoint=https://minio:9000&region=eu-central-1&pathStyle=false&sse=AES256&partSize=67108864&maxParts=1000&concurrency=2&appendOnly=true';
	expect(parseStorageUrl(url, env)).toEqual({
		type: 's3',
		bucket: 'backups',
		prefix: 'n8n/my prod',
		endpoint: 'https://minio:9000',
		region: 'eu-central-1',
		accessKey: 'id',
		secretKey: 'geheim',
		sessionToken: 'token',
		pathStyle: false,
		ca: 'PEM',
		serverSideEncryption: 'AES256',
		partSize: 67_108_864,
		maxParts: 1_000,
		concurrency: 2,
		appendOnly: true,
	});
	await fs.rm(dir, { recursive: true });
});

it('reads a bucket of Amazon S3, its region from the environment', () => {
	const config = parseStorageUrl('s3://backups', { ...KEYS, AWS_REGION: 'eu-west-1' });
	expect(config).toMatchObject({ bucket: 'backups', prefix: '', region: 'eu-west-1', endpoint: undefined });
});

it('reads an SFTP server, its key from a file and its secret from the environment', async () => {
	const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'key-'));
	await fs.writeFile(path.join(dir, 'id'), 'KEY');
	const url = `sftp://backup@host.example.org:2222/srv/back%20ups?hostKey=SHA256:ab+c/d&key=${dir}/id`;
	expect(parseStorageUrl(url, { N8N_BACKUP_SFTP_PASSWORD: 'geheim' })).toEqual({
		...{ type: 'sftp', host: 'host.example.org', port: 2222, user: 'backup', path: '/srv/back ups' },
		...{ hostKey: 'SHA256:ab+c/d', privateKey: 'KEY', passphrase: 'geheim' },
	});
	expect(parseStorageUrl('sftp://backup@host/srv', { N8N_BACKUP_SFTP_PASSWORD: 'geheim' })).toMatchObject({
		...{ password: 'geheim', hostKey: undefined, port: undefined },
	});
	await fs.rm(dir, { recursive: true });
});

it.each([
	['sftp://host/srv', /names no SSH user/],
	['sftp://user@host/srv', /neither a password nor a key/],
	['sftp://user@host/srv?x=1', /unknown parameter "x"/],
	['sftp://user@host/srv?key=/nowhere', /cannot read the private key/],
	['sftp://user:geheim@host/srv', /must not hold keys/],
	['/var/backups', /cannot be read/],
	['http://host/bucket', /cannot be read/],
	['file://host/path', /no local folder/],
	['file:///path?x=1', /no local folder/],
	['s3://id:geheim@backups', /must not hold keys/],
	['s3://backups?endpiont=http://host', /unknown parameter "endpiont"/],
	['s3://backups?pathStyle=yes', /neither true nor false/],
	['s3://backups?partSize=8MB', /not a whole number/],
	['s3://backups?sse=rot13', /sse/],
	['s3://backups/%E0%A4%A', /prefix/],
	['s3://backups/a/../b', /prefix/],
	['s3://backups/%2e%2E', /prefix/],
])('refuses %s, without repeating secrets', (url, message) => {
	const attempt = () => parseStorageUrl(url, KEYS);
	expect(attempt).toThrow(expect.objectContaining({ code: 'invalid-input', message: expect.stringMatching(message) }));
	expect(attempt).toThrow(expect.objectContaining({ message: expect.not.stringContaining('geheim') }));
});

it('asks for the keys by the names of their variables', () => {
	const wanted = expect.objectContaining({
		code: 'invalid-input',
		hint: expect.stringContaining('AWS_SECRET_ACCESS_KEY'),
	});
	expect(() => parseStorageUrl('s3://backups', { AWS_ACCESS_KEY_ID: 'id' })).toThrow(wanted);
});

it('says which authority file cannot be read', () => {
	const env = { ...KEYS, AWS_CA_BUNDLE: '/does/not/exist.pem' };
	expect(() => parseStorageUrl('s3://backups', env)).toThrow(
		expect.objectContaining({ message: expect.stringContaining('AWS_CA_BUNDLE') }),
	);
});

it('opens what a URL names, with retries', async () => {
	const storage = openStorage('s3://backups/n8n?endpoint=http://127.0.0.1:1', KEYS, {
		attempts: 2,
		firstDelayMs: 1,
		maxDelayMs: 1,
	});
	expect(storage.location).toBe('s3://backups/n8n');
	await expect(storage.stat('key')).rejects.toMatchObject({ code: 'unreachable', details: { attempts: 2 } });
	await storage.close();
});

it.each([
	[{ type: 'folder' as const, path: '' }, /no folder/],
	[{ type: 's3' as const, bucket: 'backups', accessKey: 'id', secretKey: '' }, /keys for the bucket backups/],
	[{ type: 's3' as const, bucket: 'backups', accessKey: 'a', secretKey: 'b', partSize: 1_000 }, /sizes/],
	[{ type: 's3' as const, bucket: 'backups', accessKey: 'a', secretKey: 'b', prefix: '../x' }, /object name/],
])('refuses the settings %j', (config, message) => {
	expect(() => createStorage(config)).toThrow(
		expect.objectContaining({ code: 'invalid-input', message: expect.stringMatching(message) }),
	);
});
