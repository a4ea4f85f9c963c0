/**
 * What is known of the providers of S3: their endpoints, how they name regions, and how a bucket is addressed there. From
 * their own pages on endpoints and S3 compatibility, read in 2026.
 */
import { BackupError } from '../../base/errors';
import type { S3ConnectionOptions } from './connection';

/** Where a bucket is: as it is typed, and as it follows from that. */
export type BucketAddress = Pick<S3ConnectionOptions, 'endpoint' | 'region' | 'pathStyle'>;

/** One provider. The endpoint follows from the region, is always the same, or has to be typed. */
interface Rules {
	/** For people. */
	name: string;
	/** What the region looks like; absent where there is only the one of `signedAs`. */
	region?: { pattern: RegExp; examples: string };
	/** The region that requests are signed for, where that is not the typed one. */
	signedAs?: string;
	/** From the region to the endpoint; absent where the endpoint has to be typed. */
	endpoint?: (region: string) => string;
	/** What a typed endpoint looks like. */
	typed?: { host: RegExp; hint: string };
	pathStyle: boolean;
}

const OWN_SERVER = {
	pathStyle: true,
	// Its own name for a region is whatever its operator chose.
	region: { pattern: /^[A-Za-z0-9._-]{1,64}$/, examples: 'us-east-1, which is the default of these servers' },
	typed: {
		host: /^(?!(?:.*\.)?amazonaws\.com(?:\.cn)?$)/i,
		hint: 'Enter the address of your server, for example https://minio.example.org:9000, or choose Amazon S3.',
	},
} satisfies Partial<Rules>;

const RULES = {
	aws: {
		name: 'Amazon S3',
		region: { pattern: /^[a-z]{2}(?:-[a-z]+)+-\d{1,2}$/, examples: 'us-east-1, eu-central-1' },
		endpoint: (region) => `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`,
		pathStyle: false,
	},
	minio: { name: 'MinIO', ...OWN_SERVER },
	ceph: { name: 'Ceph', ...OWN_SERVER },
	b2: {
		name: 'Backblaze B2',
		region: { pattern: /^[a-z]{2}-[a-z]+-\d{3}$/, examples: 'us-west-004, eu-central-003' },
		endpoint: (region) => `https://s3.${region}.backblazeb2.com`,
		pathStyle: true,
	},
	r2: {
		name: 'Cloudflare R2',
		signedAs: 'auto',
		typed: {
			host: /^[0-9a-f]{32}(?:\.[a-z]+)?\.r2\.cloudflarestorage\.com$/,
			hint: 'Enter what Cloudflare shows as "S3 API", without the bucket: https://<account ID>.r2.cloudflarestorage.com, or with .eu behind the account ID for buckets that stay there.',
		},
		pathStyle: true,
	},
	wasabi: {
		name: 'Wasabi',
		region: { pattern: /^[a-z]{2}-[a-z]+-\d$/, examples: 'us-east-1, eu-central-2' },
		endpoint: (region) => `https://s3.${region}.wasabisys.com`,
		pathStyle: true,
	},
	gcs: {
		name: 'Google Cloud Storage',
		signedAs: 'auto',
		endpoint: () => 'https://storage.googleapis.com',
		pathStyle: true,
	},
	hetzner: {
		name: 'Hetzner',
		region: { pattern: /^[a-z]{3}\d$/, examples: 'fsn1, nbg1, hel1' },
		endpoint: (region) => `https://${region}.your-objectstorage.com`,
		pathStyle: true,
	},
	digitalocean: {
		name: 'DigitalOcean Spaces',
		region: { pattern: /^[a-z]{3}\d$/, examples: 'fra1, ams3, nyc3' },
		endpoint: (region) => `https://${region}.digitaloceanspaces.com`,
		pathStyle: false,
	},
} satisfies Record<string, Rules>;

/** A provider whose rules are known. */
export type S3Provider = keyof typeof RULES;

/** The words for the providers, as they stand in a credential and in a storage URL; `other` is any whose rules are not known. */
export const S3_PROVIDERS: readonly string[] = [...Object.keys(RULES), 'other'];

/**
 * Where a bucket of a provider is: what can be known is filled in, and what cannot work is refused.
 * @param provider one of {@link S3_PROVIDERS}
 * @throws BackupError 'invalid-input' that says what the provider wants instead
 */
export function placeAt(provider: string, place: BucketAddress): BucketAddress {
	if (provider === 'other') return place;
	if (isKnown(provider)) {
		const rules: Rules = RULES[provider];
		return {
			region: regionFor(rules, place.region),
			endpoint: endpointFor(rules, place),
			pathStyle: place.pathStyle ?? rules.pathStyle,
		};
	}
	throw invalid(`the provider "${cut(provider)}" is unknown`, `Known are: ${S3_PROVIDERS.join(', ')}.`);
}

function isKnown(provider: string): provider is keyof typeof RULES {
	return Object.hasOwn(RULES, provider);
}

function regionFor({ name, region: wanted, signedAs, typed }: Rules, region?: string): string | undefined {
	if (!wanted) {
		if (region === undefined || region === signedAs) return signedAs;
		throw invalid(`${name} has no regions to choose, and "${cut(region)}" is given`, 'Leave the region empty.');
	}
	// Who has an own server need not name a region; elsewhere, the endpoint follows from it.
	if (region === undefined && typed) return undefined;
	if (region !== undefined && wanted.pattern.test(region)) return region;
	throw invalid(
		region === undefined ? `${name} needs a region` : `"${cut(region)}" is no region of ${name}`,
		`Enter the region of the bucket, as ${wanted.examples}.`,
	);
}

function endpointFor({ name, endpoint: known, typed }: Rules, place: BucketAddress): string {
	if (known) {
		const expected = known(place.region ?? '');
		if (place.endpoint === undefined || trimmed(place.endpoint) === expected) return expected;
		throw invalid(
			`the endpoint of ${name} is ${expected}, and another one is given`,
			'Leave the endpoint empty, or choose the provider that it belongs to.',
		);
	}
	if (place.endpoint === undefined) throw invalid(`${name} needs an endpoint`, typed?.hint);
	// What is no URL at all, the connection refuses.
	const host = URL.canParse(place.endpoint) ? new URL(place.endpoint).hostname : null;
	if (host !== null && typed && !typed.host.test(host)) {
		throw invalid(`"${cut(host)}" is no endpoint of ${name}`, typed.hint);
	}
	return place.endpoint;
}

/**
 * What two endpoints are compared by: the host, and the port where it is not one of http or https, since one server may be spoken to by
 * both. Those of Amazon S3 lead to the same buckets, whatever the region; those in China to others.
 * @param endpoint Amazon S3 when absent
 */
export function hostOf(endpoint = 'https://s3.amazonaws.com'): string {
	if (!URL.canParse(endpoint)) return trimmed(endpoint);
	const { hostname, port } = new URL(endpoint);
	const host = hostname.replace(/\.$/, '');
	const amazon = /(?:^|\.)amazonaws\.com(?:\.cn)?$/.exec(host);
	if (amazon) return amazon[0].replace(/^\./, '');
	return port === '' || port === '80' || port === '443' ? host : `${host}:${port}`;
}

function trimmed(endpoint: string): string {
	return endpoint.toLowerCase().replace(/\/+$/, '');
}

function cut(text: string): string {
	return text.slice(0, 80);
}

function invalid(message: string, hint?: string): BackupError {
	return new BackupError('invalid-input', message, { hint });
}
