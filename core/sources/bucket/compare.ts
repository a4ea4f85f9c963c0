/** Whether what was written into a bucket is what the index says: on its way there, and read back. */
import { createHash, hash } from 'node:crypto';
import { BackupError } from '../../base/errors';
import { DEFAULT_RETRY, retry } from '../../base/retry';
import type { BucketObjects } from '../../storage/s3/objects';
import type { MergedEntry } from '../files/merge.ts';
import { fromText, toDisplay } from '../files/names';
import type { Difference } from '../source';

/** Told with their names; the others are counted. */
const MAX_NAMED = 100;

/** Reads objects back, and notes what differs. */
export class ObjectComparer {
	/** Of the first objects that are not as they were; how many these are in all. */
	readonly differences: Difference[] = [];
	differing = 0;

	constructor(private readonly target: BucketObjects) {}

	/** @param options.version its id; else what the name means now */
	async compare(
		entry: MergedEntry,
		key: string,
		{ version, signal }: { version?: string; signal: AbortSignal },
	): Promise<void> {
		const { headers = {}, tags = {} } = entry.object!;
		const read = async () => {
			const { head, body } = await this.target.open(key, { version, signal });
			const digest = createHash('sha256');
			for await (const chunk of body as AsyncIterable<Buffer>) digest.update(chunk);
			return { head, sha256: digest.digest('hex') };
		};
		const { head, sha256 } = await retry(read, DEFAULT_RETRY, signal);
		const found: Difference[] = [];
		const expect = (what: string, expected: string | undefined, is: string | undefined) => {
			const text = (value: string | undefined) => `${what}${value ?? '(nothing)'}`;
			if (expected !== is) found.push({ item: toDisplay(fromText(key)), expected: text(expected), found: text(is) });
		};
		expect('SHA-256 ', entry.sha256, sha256);
		const names = new Set([...Object.keys(headers), ...Object.keys(head.headers)]);
		// Without one, servers give it one.
		if (headers['content-type'] === undefined) names.delete('content-type');
		for (const name of names) expect(`${name}: `, headers[name], head.headers[name]);
		const [wanted, given] = [tags, Object.keys(tags).length > 0 ? await this.target.tags(key, signal, version) : {}];
		for (const name of new Set([...Object.keys(wanted), ...Object.keys(given)])) {
			expect(`tag ${name}=`, wanted[name], given[name]);
		}
		this.differs(found);
	}

	/** Notes what differs about one object. */
	differs(found: readonly Difference[]): void {
		if (found.length === 0) return;
		this.differing++;
		if (this.differences.length < MAX_NAMED) this.differences.push(...found);
	}
}

/**
 * Passes the bytes of an object on, and ends only when they are what its index says.
 * @throws BackupError 'damaged'
 */
export async function* checked(
	{ path, size, sha256 }: MergedEntry,
	body: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
	const damaged = () =>
		new BackupError('damaged', `${toDisplay(path)} is not what its index says: its digest differs`, {
			hint: 'Use another backup.',
		});
	if (Array.isArray(body)) {
		const bytes = Buffer.concat(body as Buffer[]);
		if (hash('sha256', bytes, 'hex') !== sha256) throw damaged();
		yield bytes;
		return;
	}
	const digest = createHash('sha256');
	let passed = 0;
	for await (const chunk of body) {
		digest.update(chunk);
		passed += chunk.length;
		// The last bytes are held back until the digest is known to be right.
		if (passed === size && digest.copy().digest('hex') !== sha256) throw damaged();
		yield chunk;
	}
	if (passed !== size) throw damaged();
}
