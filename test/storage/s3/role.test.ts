/** The keys of the role that a machine has on AWS, from a fake of its services: the real ones are on AWS only. */
import http from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createStorage } from '../../../core/storage/create';
import { MachineRole } from '../../../core/storage/s3/role';
import { S3Storage } from '../../../core/storage/s3/s3';
import { parseStorageUrl } from '../../../core/storage/url';
import { toStorageConfig } from '../../../nodes/shared/credentials';

interface Seen {
	request: string;
	headers: http.IncomingHttpHeaders;
	body: string;
}
type Answer = { status?: number; body?: string } | 'silence';

const HOUR_MS = 3_600_000;
const SECRET = 'geheimer-schluessel';
let server: http.Server;
let endpoint: string;
let seen: Seen[];
let answer: (request: string) => Answer;
let folder: string;

const keysAs = (id: string, ms = HOUR_MS) => ({
	AccessKeyId: id,
	SecretAccessKey: SECRET,
	Token: 'token-of-the-role',
	Expiration: new Date(Date.now() + ms).toISOString(),
});
/** As EC2 answers (IMDSv2). */
const instance = (request: string, ms?: number): Answer => {
	if (request === 'PUT /latest/api/token') return { body: 'session' };
	if (request === 'GET /latest/meta-data/iam/security-credentials/') return { body: 'my role\n' };
	return request.endsWith('/my%20role') ? { body: JSON.stringify({ Code: 'Success', ...keysAs('ASIA1', ms) }) } : {};
};

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'role-'));
	server = http.createServer((request, response) => {
		void text(request).then((body) => {
			const asked = `${request.method} ${request.url}`;
			seen.push({ request: asked, headers: request.headers, body });
			const given = answer(asked);
			if (given !== 'silence')
				response.writeHead(given.status ?? 200, { 'content-length': given.body?.length ?? 0 }).end(given.body ?? '');
		});
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
	server.closeAllConnections();
	await new Promise((resolve) => server.close(resolve));
	rmSync(folder, { recursive: true });
});
beforeEach(() => {
	seen = [];
	answer = (request) => instance(request);
});

const onInstance = () => new MachineRole({ AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint }, 1000);
const EXPECTED = { secretKey: SECRET, sessionToken: 'token-of-the-role' };

it('of an instance come by IMDSv2, once for all who ask', async () => {
	const role = onInstance();
	const all = await Promise.all(Array.from({ length: 5 }, () => role.keys()));
	expect(all).toEqual(Array.from({ length: 5 }, () => expect.objectContaining({ accessKey: 'ASIA1', ...EXPECTED })));
	expect(seen.map(({ request }) => request)).toEqual([
		'PUT /latest/api/token',
		'GET /latest/meta-data/iam/security-credentials/',
		'GET /latest/meta-data/iam/security-credentials/my%20role',
	]);
	expect(seen.slice(1).map(({ headers }) => headers['x-aws-ec2-metadata-token'])).toEqual(['session', 'session']);
	await role.keys();
	expect(seen).toHaveLength(3);
});

it('are renewed minutes before they end, and serve until then where that fails', async () => {
	answer = (request) => instance(request, 60_000);
	const role = onInstance();
	await role.keys();
	answer = () => ({ status: 500 });
	expect(await role.keys()).toMatchObject({ accessKey: 'ASIA1' });
	expect(seen).toHaveLength(4);
	answer = (request) =>
		request.endsWith('/my%20role') ? { body: JSON.stringify(keysAs('ASIA2')) } : instance(request);
	expect(await role.keys()).toMatchObject({ accessKey: 'ASIA2' });
});

it('that have ended are no keys any more', async () => {
	answer = (request) => instance(request, -1000);
	const role = onInstance();
	await role.keys();
	answer = () => ({ status: 500 });
	await expect(role.keys()).rejects.toMatchObject({ code: 'wrong-credentials' });
});

it.each([
	['in the environment', { AWS_CONTAINER_AUTHORIZATION_TOKEN: 'pod-token' }],
	['in a file', { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: 'pod' }],
])('of a container come with its token, which is %s', async (_, env) => {
	writeFileSync(join(folder, 'pod'), 'pod-token\n');
	const file =
		'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE' in env
			? { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(folder, 'pod') }
			: {};
	// ECS sends no "Code", other than EC2.
	answer = () => ({ body: JSON.stringify(keysAs('ASIA3')) });
	const role = new MachineRole({
		AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/v2/credentials?id=1`,
		...env,
		...file,
	});
	expect(await role.keys()).toMatchObject({ accessKey: 'ASIA3', ...EXPECTED });
	expect(seen).toMatchObject([{ request: 'GET /v2/credentials?id=1', headers: { authorization: 'pod-token' } }]);
});

describe('of a web identity', () => {
	const env = () => ({
		AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'jwt'),
		AWS_ROLE_ARN: 'arn:aws:iam::1:role/n8n',
		AWS_ENDPOINT_URL_STS: endpoint,
	});
	beforeEach(() => writeFileSync(join(folder, 'jwt'), 'header.payload.signature'));

	it('come from STS, which gets the token in the body', async () => {
		const { AccessKeyId, SecretAccessKey, Token, Expiration } = keysAs('ASIA4');
		answer = () => ({
			body: `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${AccessKeyId}</AccessKeyId><SecretAccessKey>${SecretAccessKey}</SecretAccessKey><SessionToken>${Token}</SessionToken><Expiration>${Expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
		});
		expect(await new MachineRole(env()).keys()).toMatchObject({ accessKey: 'ASIA4', ...EXPECTED });
		expect(seen.map(({ request }) => request)).toEqual(['POST /']);
		expect(Object.fromEntries(new URLSearchParams(seen[0]!.body))).toMatchObject({
			...{ Action: 'AssumeRoleWithWebIdentity', RoleArn: 'arn:aws:iam::1:role/n8n' },
			WebIdentityToken: 'header.payload.signature',
		});
	});

	it('are refused with the reason of STS, and without the token', async () => {
		answer = () => ({
			status: 403,
			body: '<ErrorResponse><Error><Code>AccessDenied</Code><Message>header.payload.signature</Message></Error></ErrorResponse>',
		});
		const error = await new MachineRole(env()).keys().catch((thrown: Error) => thrown);
		expect(error).toMatchObject({ message: expect.stringMatching(/answers 403 AccessDenied$/) as string });
		expect(JSON.stringify(error)).not.toContain('payload');
	});

	it('need the name of the role, and the token', async () => {
		await expect(new MachineRole({ ...env(), AWS_ROLE_ARN: '' }).keys()).rejects.toThrow(/AWS_ROLE_ARN is not/);
		rmSync(join(folder, 'jwt'));
		await expect(new MachineRole(env()).keys()).rejects.toThrow(/cannot read the token of the role/);
	});
});

it.each<[string, (request: string) => Answer, RegExp]>([
	['has none attached', (request) => (request.startsWith('PUT') ? { body: 's' } : { status: 404 }), /answers 404$/],
	['gives something else', () => ({ body: `"${SECRET}"` }), /the answer holds no keys/],
	['gives no JSON', () => ({ body: SECRET }), /the answer holds no keys/],
	['gives without end', () => ({ body: 'x'.repeat(100_000) }), /nothing answers at 127.0.0.1/],
	['is silent', () => 'silence', /nothing answers at 127.0.0.1/],
])('a machine whose service %s is told so, without a secret', async (_, answers, message) => {
	answer = answers;
	const error = await onInstance()
		.keys()
		.catch((thrown: Error) => thrown);
	expect(error).toMatchObject({
		code: 'wrong-credentials',
		message: expect.stringMatching(message) as string,
		hint: expect.stringContaining('hop limit') as string,
	});
	expect(`${(error as Error).message}${JSON.stringify(error)}`).not.toContain(SECRET);
});

it('waiting for them ends when the run is cancelled', async () => {
	answer = () => 'silence';
	const stop = new AbortController();
	const asked = onInstance().keys(stop.signal);
	stop.abort();
	await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
});

it('sign what a storage sends', async () => {
	process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = endpoint;
	const storage = new S3Storage({ bucket: 'backups', endpoint, fromRole: true, accessKey: '', secretKey: '' });
	answer = (request) => (request.includes('/backups/') ? { body: 'x' } : instance(request));
	try {
		expect(await text(await storage.read('key'))).toBe('x');
	} finally {
		delete process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT;
		await storage.close();
	}
	const { headers } = seen.at(-1)!;
	expect(headers.authorization).toContain('Credential=ASIA1/');
	expect(headers['x-amz-security-token']).toBe('token-of-the-role');
});

describe('are used', () => {
	const fields = { type: 's3', bucket: 'backups', provider: 'aws', region: 'eu-central-1', useRole: true };
	afterEach(() => void delete process.env.N8N_AWS_SYSTEM_CREDENTIALS_ACCESS_ENABLED);

	it('by a credential only where the operator of n8n allows it, and for Amazon S3', async () => {
		expect(() => toStorageConfig(fields)).toThrow(
			expect.objectContaining({
				code: 'access-denied',
				hint: expect.stringContaining('N8N_AWS_SYSTEM_CREDENTIALS_ACCESS_ENABLED=true') as string,
			}),
		);
		process.env.N8N_AWS_SYSTEM_CREDENTIALS_ACCESS_ENABLED = 'true';
		const config = toStorageConfig(fields);
		expect(config).toMatchObject({ fromRole: true, endpoint: 'https://s3.eu-central-1.amazonaws.com' });
		await createStorage(config).close();
		const elsewhere = toStorageConfig({ ...fields, provider: 'other', endpoint: 'https://minio.example.org' });
		expect(elsewhere).not.toHaveProperty('fromRole');
	});

	it('by a URL that names Amazon S3', () => {
		expect(parseStorageUrl('s3://b?provider=aws&region=eu-central-1&keys=role', {})).toMatchObject({ fromRole: true });
		expect(() => parseStorageUrl('s3://b?endpoint=https://minio&keys=role', {})).toThrow(/keys in the storage URL/);
		expect(() => parseStorageUrl('s3://b?provider=aws&keys=other', {})).toThrow(/keys in the storage URL/);
	});
});
