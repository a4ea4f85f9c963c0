/** Keys that may add objects and not remove any, so that whoever steals them destroys no backup. */
import { openDump } from '../support/dump-source';
import { copyMissing } from '../../core/verbs/copy/copy';
import { Readable } from 'node:stream';
import { BackupError } from '../../core/base/errors';
import type { Source } from '../../core/sources/source';
import { backUp } from '../../core/verbs/backup/backup';
import { checkPlace } from '../../core/verbs/check/check';
import { applyRetention } from '../../core/verbs/expire/expire';
import { prune } from '../../core/verbs/prune/prune';
import { Repository } from '../../core/records/repository';
import type { RetentionPolicy } from '../../core/retention/policy';
import { S3Storage } from '../../core/storage/s3/s3';
import type { Storage } from '../../core/storage/storage';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { sharedS3 } from '../support/s3';
import { makeTinyBackup } from '../support/tiny-backups';

const GROUP = 'postgres/shop';
const { signal } = new AbortController();
const shared = sharedS3();
const open: Storage[] = [];
let bucket: string;
let user: { id: string; accessKey: string; secretKey: string };
beforeEach(async () => {
	user = await shared().makeUser();
	bucket = await shared().makeBucket(undefined, user);
	await shared().makeAppendOnly(user);
});
afterEach(async () => await Promise.all(open.splice(0).map((storage) => storage.close())));

/** The same bucket, with keys that may add to it only, or with those of its administrator. */
function storage(settings: { appendOnly?: boolean; administrator?: boolean } = {}): Storage {
	const { accessKey, secretKey } = user;
	const { administrator, appendOnly } = settings;
	const made = new S3Storage(
		shared().options(bucket, { accessKey, secretKey, appendOnly: appendOnly && !administrator }),
	);
	open.push(made);
	return made;
}

const keys = async (of: Storage, prefix: string) => {
	const found: string[] = [];
	for await (const { key } of of.list(prefix)) found.push(key);
	return found;
};

it('back up and verify, one run after the other, without a lock that would stay', async () => {
	const place = storage({ appendOnly: true });
	const first = await makeTinyBackup(place, GROUP);
	const second = await makeTinyBackup(place, GROUP);
	expect([...first.warnings, ...second.warnings]).toEqual([]);
	expect(await keys(place, 'locks/')).toEqual([]);
	const repository = await Repository.open(place);
	const request = { repository, group: GROUP, depth: 'stored', keys: null, signal } as const;
	expect(await verifyBackup({ ...request, label: second.label })).toMatchObject({ outcome: 'ok', warnings: [] });
	const listed = new Map(
		(await repository.list(GROUP)).map(({ label, verifications }) => [label, verifications.length]),
	);
	expect(listed.get(first.label)).toBe(0);
	expect(listed.get(second.label)).toBe(1);
});

it('are called by the check what they are', async () => {
	const [found] = await checkPlace(storage({ appendOnly: true }));
	expect(found).toMatchObject({ ok: true, message: expect.stringContaining('nothing can be removed with these keys') });
});

it('leave retention and tidying up to other keys, which find nothing in their way', async () => {
	const place = storage({ appendOnly: true });
	await makeTinyBackup(place, GROUP);
	await makeTinyBackup(place, GROUP);
	await checkPlace(place);
	const policy: RetentionPolicy = { last: 1, minimum: 1, allow: ['unverified'] };
	const refused = { code: 'access-denied', hint: expect.stringContaining('another machine') };
	const here = await Repository.open(place);
	await expect(applyRetention({ repository: here, group: GROUP, policy, signal })).rejects.toMatchObject(refused);
	await expect(prune({ repository: here, apply: true, signal })).rejects.toMatchObject(refused);
	expect(await here.list(GROUP)).toHaveLength(2);

	await shared().makeAdministrator(user);
	const there = await Repository.open(storage({ administrator: true }));
	expect(await applyRetention({ repository: there, group: GROUP, policy, signal })).toMatchObject({
		removed: [expect.any(String)],
	});
});

it('keep what a failed run stored, and say so with the reason', async () => {
	const place = storage({ appendOnly: true });
	const broken = new BackupError('dump-failed', 'the source broke', { hint: 'Mend it.' });
	const source: Source = {
		kind: 'postgres',
		open: async () =>
			openDump({
				body: Readable.from([Buffer.from('a row\n')]),
				finish: async () => await Promise.reject(broken),
				close: async () => undefined,
			}),
	};
	await expect(backUp({ storage: place, group: GROUP, source, encryption: null, signal })).rejects.toMatchObject({
		code: 'dump-failed',
		hint: expect.stringMatching(/^Mend it\. What it had stored stays, because the keys may not delete/),
	});
	expect((await keys(place, `${GROUP}/`)).map((key) => key.replace(/.*\//, ''))).toEqual(['dump.sql.zst']);
	expect(await (await Repository.open(place)).list(GROUP)).toEqual([]);
});

it('take copies, also into an empty place that lies, by its name, in the source', async () => {
	const from = storage({ appendOnly: true });
	const { label } = await makeTinyBackup(from, GROUP);
	const { accessKey, secretKey } = user;
	const elsewhere = await shared().makeUser();
	const far = new S3Storage({
		...shared().options(await shared().makeBucket(undefined, elsewhere), { ...elsewhere, appendOnly: true }),
		prefix: 'copies',
	});
	const inside = new S3Storage({
		...shared().options(bucket, { accessKey, secretKey, appendOnly: true }),
		prefix: 'in/it',
	});
	open.push(far, inside);
	expect(await copyMissing({ from: await Repository.open(from), to: far, signal })).toMatchObject([
		{ label, status: 'copied' },
	]);
	await expect(copyMissing({ from: await Repository.open(from), to: inside, signal })).rejects.toMatchObject({
		code: 'invalid-input',
		message: expect.stringContaining('lies in'),
	});
});

it('are recognised where nobody has said so: by the check, and by the first run', async () => {
	const place = storage();
	const [found] = await checkPlace(place);
	const hint = expect.stringContaining('Keys May Not Delete in the credential, appendOnly=true') as string;
	expect(found).toMatchObject({ ok: false, code: 'access-denied', hint });
	const { warnings } = await makeTinyBackup(place, GROUP);
	expect(warnings).toContainEqual(expect.stringContaining('the lock of postgres/shop could not be removed'));
});
