/** Listings of versions of which some are removed before the next page, on servers that find their place again in different ways. */
import type { AskedBucket, S3Version } from '../../../core/storage/s3/listing';
import { versionPages, versionsOf } from '../../../core/storage/s3/version-pages';

type Version = Pick<S3Version, 'name' | 'versionId'>;
/** Where a page begins whose place is gone: behind all of that name, at the first of that name, or where the place was. */
type Server = 'Ceph' | 'MinIO' | 'by order';
const SERVERS: Server[] = ['Ceph', 'MinIO', 'by order'];
const PAGE = 50;

const versionsIn = (name: string, count: number): Version[] =>
	Array.from({ length: count }, (_, at) => ({ name, versionId: `v${count - at}` }));

/** A bucket of which something is done before the page of some number is given, from 1. */
function bucketOf(server: Server, versions: Version[], before: (page: number, given: Version[]) => void): AskedBucket {
	const ever = [...versions];
	let given: Version[] = [];
	let count = 0;
	const isPlace = (name: string | null, versionId: string | null) => (each: Version) =>
		each.name === name && each.versionId === versionId;
	const beginOf = (name: string | null, versionId: string | null): number => {
		if (name === null) return 0;
		const at = versions.findIndex(isPlace(name, versionId));
		if (at >= 0) return at + 1;
		const [first, last] = [(each: Version) => each.name >= name, (each: Version) => each.name > name];
		const behind = ever.slice(ever.findIndex(isPlace(name, versionId)));
		const from = { Ceph: last, MinIO: first, 'by order': (each: Version) => behind.includes(each) }[server];
		const found = versions.findIndex(from);
		return found < 0 ? versions.length : found;
	};
	const ask = async (_verb: string, _about: string, query: string) => {
		const asked = new URLSearchParams(query);
		count++;
		before(count, given);
		const begin = beginOf(asked.get('key-marker'), asked.get('version-id-marker'));
		given = versions.slice(begin, begin + PAGE);
		const isTruncated = begin + PAGE < versions.length;
		const items = given.map(
			(each) => `<Version><Key>${each.name}</Key><VersionId>${each.versionId}</VersionId></Version>`,
		);
		return await Promise.resolve(
			`<ListVersionsResult><IsTruncated>${isTruncated}</IsTruncated>${items.join('')}</ListVersionsResult>`,
		);
	};
	return { bucket: 'photos', ask };
}

const idsOf = (versions: readonly Version[]) => versions.map(({ name, versionId }) => `${name}@${versionId}`);
const drop = (versions: Version[], gone: readonly Version[]) => {
	for (const each of gone) {
		versions.splice(
			versions.findIndex(({ name, versionId }) => name === each.name && versionId === each.versionId),
			1,
		);
	}
};

async function listed(bucket: AskedBucket): Promise<string[]> {
	const found: string[] = [];
	for await (const page of versionPages(bucket, '')) found.push(...idsOf(page));
	return found;
}

describe.each(SERVERS)('on a server that finds its place as %s', (server) => {
	it.each([0, 1, 2, 20])(
		'gives each version once when the last %s of a page are removed before the next',
		async (gone) => {
			const versions = [...versionsIn('a', 30), ...versionsIn('k', 250), ...versionsIn('z', 3)];
			const bucket = bucketOf(server, versions, (page, given) => {
				if (page === 2 || page === 8) drop(versions, given.slice(given.length - gone));
			});
			const found = await listed(bucket);
			expect(new Set(found).size).toBe(found.length);
			const stay = idsOf(versions);
			expect(found.filter((each) => stay.includes(each))).toEqual(stay);
		},
	);

	it('gives all versions of one object when the last of a page is removed', async () => {
		const versions = [...versionsIn('k', 120), ...versionsIn('k/b', 3)];
		const all = idsOf(versions).slice(0, 120);
		const bucket = bucketOf(server, versions, (page, given) => {
			if (page === 2) drop(versions, given.slice(-1));
		});
		expect(idsOf(await versionsOf(bucket, 'k'))).toEqual(all);
	});

	it('leaves what is added before its place to the next listing', async () => {
		const versions = [...versionsIn('b', PAGE - 1), ...versionsIn('k', 20)];
		const all = idsOf(versions);
		const bucket = bucketOf(server, versions, (page) => {
			if (page !== 2) return;
			versions.splice(PAGE - 1, 0, { name: 'c', versionId: 'new' }, { name: 'k', versionId: 'newer' });
			versions.unshift({ name: 'a', versionId: 'new' });
		});
		expect(await listed(bucket)).toEqual(all);
	});
});

it('fails where all that is remembered is removed before the next page', async () => {
	const versions = versionsIn('k', 400);
	const bucket = bucketOf('Ceph', versions, (page) => {
		if (page === 5) versions.splice(0, 200);
	});
	await expect(listed(bucket)).rejects.toMatchObject({
		code: 'storage-failed',
		message: 'versions of s3://photos/k were removed faster than they could be listed',
		hint: expect.stringContaining('Try again') as string,
	});
});

it('ends where a server gives the same versions again and again', async () => {
	let count = 0;
	const ask = async () =>
		await Promise.resolve(
			`<ListVersionsResult><IsTruncated>true</IsTruncated><Version><Key>a</Key><VersionId>v${count++ % 2}</VersionId></Version></ListVersionsResult>`,
		);
	await expect(listed({ bucket: 'photos', ask })).rejects.toMatchObject({ code: 'storage-failed' });
	expect(count).toBeLessThan(10);
});
