/** Backups of buckets whose server answers in ways that no server does which can be started here. */
import { BucketGroup } from '../../support/buckets';
import { stopClock } from '../../support/clock';
import { FakeS3, fakeListing, fakeObject } from '../../support/fake-s3';

let server: FakeS3;
let group: BucketGroup;
stopClock();
beforeAll(async () => {
	server = await FakeS3.start();
});
afterAll(() => server.stop());
beforeEach(() => {
	group = new BucketGroup(server);
	server.seen.length = 0;
});

/** Objects by their names, each with its text. */
function has(objects: Record<string, string>): void {
	server.let(({ key, query }) => {
		if (query.has('tagging')) return undefined;
		if (key === '') return fakeListing(objects);
		return objects[key] === undefined ? undefined : fakeObject(objects[key]);
	});
}

describe('blanks', () => {
	it('at the ends of names belong to them where a server lists names as they are', async () => {
		has({ ' a': '1', 'b ': '2', c: '3' });
		const backup = await group.back();
		expect(backup.manifest).toMatchObject({ status: 'whole', warnings: [], source: { details: { objects: 3 } } });
		expect((await group.index(backup)).map(({ object }) => object!.key)).toEqual([' a', 'b ', 'c']);
	});

	it('at the ends of tags belong to them', async () => {
		server.let(({ key, query }) => {
			if (query.has('tagging')) {
				const tags = '<Tag><Key> lead</Key><Value> trail </Value></Tag><Tag><Key>none</Key><Value> </Value></Tag>';
				return { body: `<Tagging><TagSet>${tags}</TagSet></Tagging>` };
			}
			return key === '' ? fakeListing({ a: '1' }) : fakeObject('1');
		});
		const [entry] = await group.index(await group.back());
		expect(entry!.object!.tags).toEqual({ ' lead': ' trail ', none: ' ' });
	});
});
