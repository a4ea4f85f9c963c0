/** The providers of S3: what a choice fills in, and what it refuses. */
import { NodeHelpers, type INodeParameters } from 'n8n-workflow';
import { placeAt, S3_PROVIDERS, hostOf, type BucketAddress } from '../../../core/storage/s3/providers';
import { S3Connection } from '../../../core/storage/s3/connection';
import { parseStorageUrl } from '../../../core/storage/url';
import { BackupStorageApi } from '../../../credentials/BackupStorageApi.credentials';
import { toStorageConfig } from '../../../nodes/shared/credentials';

const ACCOUNT = '0123456789abcdef0123456789abcdef';
const R2 = `https://${ACCOUNT}.r2.cloudflarestorage.com`;
const KEYS = { accessKey: 'id', secretKey: 'secret' };

it.each([
	['aws', { region: 'eu-central-1' }, 'https://s3.eu-central-1.amazonaws.com', 'eu-central-1', false],
	['aws', { region: 'us-gov-west-1' }, 'https://s3.us-gov-west-1.amazonaws.com', 'us-gov-west-1', false],
	['aws', { region: 'cn-north-1' }, 'https://s3.cn-north-1.amazonaws.com.cn', 'cn-north-1', false],
	['b2', { region: 'eu-central-003' }, 'https://s3.eu-central-003.backblazeb2.com', 'eu-central-003', true],
	['wasabi', { region: 'eu-central-2' }, 'https://s3.eu-central-2.wasabisys.com', 'eu-central-2', true],
	['hetzner', { region: 'fsn1' }, 'https://fsn1.your-objectstorage.com', 'fsn1', true],
	['digitalocean', { region: 'fra1' }, 'https://fra1.digitaloceanspaces.com', 'fra1', false],
	['gcs', {}, 'https://storage.googleapis.com', 'auto', true],
	['r2', { endpoint: R2 }, R2, 'auto', true],
	['r2', { endpoint: `https://${ACCOUNT}.eu.r2.cloudflarestorage.com` }, undefined, 'auto', true],
	['minio', { endpoint: 'http://127.0.0.1:9000' }, 'http://127.0.0.1:9000', undefined, true],
	['ceph', { endpoint: 'https://rgw', region: 'Berlin_1' }, 'https://rgw', 'Berlin_1', true],
] as const)('a bucket of %s is found from %j', async (provider, typed: BucketAddress, endpoint, region, pathStyle) => {
	const place = placeAt(provider, typed);
	expect(place).toEqual({ endpoint: endpoint ?? typed.endpoint, region, pathStyle });
	// Whatever is filled in is something that a connection takes.
	const connection = new S3Connection({ ...KEYS, ...place });
	await connection.client();
	connection.close();
});

it.each([
	['b2', {}, /Backblaze B2 needs a region/, /eu-central-003/],
	['b2', { region: 'us-east-1' }, /"us-east-1" is no region of Backblaze B2/, /us-west-004/],
	['aws', { region: 'eu-central-003' }, /"eu-central-003" is no region of Amazon S3/, /eu-central-1/],
	['aws', { region: 'x.attacker.example/' }, /is no region of Amazon S3/, /eu-central-1/],
	['hetzner', { region: 'eu-central-1' }, /is no region of Hetzner/, /fsn1/],
	['digitalocean', {}, /DigitalOcean Spaces needs a region/, /fra1/],
	['gcs', { region: 'europe-west3' }, /Google Cloud Storage has no regions to choose/, /Leave the region empty/],
	['r2', {}, /Cloudflare R2 needs an endpoint/, /S3 API/],
	[
		'r2',
		{ endpoint: 'https://minio.example.org' },
		/"minio.example.org" is no endpoint of Cloudflare R2/,
		/account ID/,
	],
	['minio', {}, /MinIO needs an endpoint/, /address of your server/],
	['minio', { endpoint: 'https://s3.eu-west-1.amazonaws.com' }, /is no endpoint of MinIO/, /Amazon S3/],
	['wasabi', { region: 'us-east-1', endpoint: 'https://minio' }, /another one is given/, /Leave the endpoint empty/],
] as const)('%s with %j is refused, and what is wanted is said', (provider, typed: BucketAddress, message, hint) => {
	expect(() => placeAt(provider, typed)).toThrow(
		expect.objectContaining({
			code: 'invalid-input',
			message: expect.stringMatching(message) as string,
			hint: expect.stringMatching(hint) as string,
		}),
	);
});

it('two endpoints of Amazon lead to the same buckets, others to their own', () => {
	const { endpoint } = placeAt('aws', { region: 'eu-central-1' });
	expect(hostOf(endpoint)).toBe(hostOf());
	expect(hostOf('https://s3.cn-north-1.amazonaws.com.cn')).not.toBe(hostOf());
	expect(hostOf('https://s3.cn-north-1.amazonaws.com.cn')).toBe(hostOf('https://s3.cn-northwest-1.amazonaws.com.cn'));
	const same = ['https://MinIO:9000/', 'https://minio:9000', 'http://minio:9000', 'https://minio.:9000'];
	expect(new Set(same.map((each) => hostOf(each))).size).toBe(1);
	const withoutPort = [
		'https://m.example.org',
		'https://m.example.org:443',
		'http://m.example.org:80/',
		'http://m.example.org',
	];
	expect(new Set(withoutPort.map((each) => hostOf(each))).size).toBe(1);
	expect(hostOf('https://m.example.org:9000')).not.toBe(hostOf('https://m.example.org'));
	expect(hostOf('https://amazonaws.com.example.org')).not.toBe(hostOf());
});

describe('in a URL', () => {
	const ENV = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'geheim', AWS_REGION: 'eu-west-1' };

	it('a provider fills in the endpoint; the region of Amazon is none of another', () => {
		expect(parseStorageUrl('s3://backups?provider=b2&region=us-west-004', ENV)).toMatchObject({
			endpoint: 'https://s3.us-west-004.backblazeb2.com',
			region: 'us-west-004',
		});
		expect(parseStorageUrl('s3://backups?provider=aws', ENV)).toMatchObject({ region: 'eu-west-1' });
		expect(() => parseStorageUrl('s3://backups?provider=hetzner', ENV)).toThrow(/Hetzner needs a region/);
		expect(() => parseStorageUrl('s3://backups?provider=azure', ENV)).toThrow(/the provider "azure" is unknown/);
	});
});

describe('in the credential', () => {
	const { properties } = new BackupStorageApi();
	/** What n8n gives a node of a saved credential (`applyDefaultsAndOverwrites`). */
	const given = (saved: INodeParameters) =>
		NodeHelpers.getNodeParameters(properties, { type: 's3', ...saved }, true, false, null, null)!;

	it('one that was saved before there were providers means what it meant', () => {
		const saved = { endpoint: 'https://minio:9000', region: 'eu-1', bucket: 'backups', forcePathStyle: false };
		expect(toStorageConfig(given(saved) as never)).toMatchObject({
			...{ endpoint: 'https://minio:9000', region: 'eu-1', pathStyle: false },
		});
		const amazon = toStorageConfig(given({ bucket: 'backups' }) as never);
		expect(amazon).toMatchObject({ endpoint: undefined, region: 'us-east-1', pathStyle: true });
	});

	it('what was typed for another provider before does not count', () => {
		const before = { endpoint: 'https://minio:9000', region: 'us-east-1', bucket: 'backups', location: 'fsn1' };
		expect(toStorageConfig(given({ ...before, provider: 'hetzner' }) as never)).toMatchObject({
			...{ endpoint: 'https://fsn1.your-objectstorage.com', region: 'fsn1' },
		});
		expect(toStorageConfig(given({ ...before, provider: 'gcs' }) as never)).toMatchObject({ region: 'auto' });
		expect(toStorageConfig(given({ ...before, provider: 'aws' }) as never)).toMatchObject({
			...{ endpoint: 'https://s3.us-east-1.amazonaws.com', region: 'us-east-1' },
		});
	});

	it('needs nothing that depends on the provider, so that n8n’s API takes credentials that name none', () => {
		const dependent = properties.filter(({ displayOptions }) => displayOptions?.show?.provider);
		expect(dependent.map(({ name }) => name)).toContain('location');
		expect(dependent.filter(({ required }) => required).map(({ name }) => name)).toEqual([]);
	});

	it('every provider that is offered is known, and the other way round', () => {
		const options = properties.find(({ name }) => name === 'provider')!.options as { value: string }[];
		expect(options.map(({ value }) => value).toSorted()).toEqual(S3_PROVIDERS.toSorted());
	});

	it.each([
		['aws', ['region']],
		['b2', ['location']],
		['ceph', ['endpoint', 'region']],
		['digitalocean', ['location']],
		['gcs', []],
		['hetzner', ['location']],
		['minio', ['endpoint', 'region']],
		['r2', ['endpoint']],
		['wasabi', ['region']],
		['other', ['endpoint', 'region', 'forcePathStyle']],
	])('%s asks only for %j', (provider, asked) => {
		const shown = Object.keys(given({ provider }));
		const place = ['endpoint', 'region', 'location', 'forcePathStyle'];
		expect(shown.filter((name) => place.includes(name))).toEqual(asked);
	});
});
