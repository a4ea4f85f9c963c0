import { BackupError, type ErrorCode } from '../../../core/base/errors';
import { protectedUntil } from '../../../core/verbs/expire/protection';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { writeText } from '../../../core/records/small-objects';
import { MemoryStorage } from '../../../core/storage/memory';
import type { Storage } from '../../../core/storage/storage';

const GROUP = 'postgres/shop';
const LABEL = '20261120T020000Z-full-aaaa';

/** A repository whose storage answers questions about locks with an error. */
async function refusing(code: ErrorCode): Promise<Repository> {
	const memory = new MemoryStorage();
	await Repository.open(memory, { create: true });
	await writeText(memory, objectKey(GROUP, LABEL, 'manifest.json'), 'x');
	const until = async () => await Promise.reject(new BackupError(code, 'no answer about locks'));
	const storage = new Proxy<Storage>(memory, {
		get: (target, name) => {
			if (name === 'protection') return { until, extend: until };
			const value: unknown = Reflect.get(target, name, target);
			return typeof value === 'function' ? (value.bind(target) as unknown) : value;
		},
	});
	return await Repository.open(storage);
}

describe('asking until when a backup is protected', () => {
	it('leaves the answer to the removal where the key may not ask', async () => {
		expect(await protectedUntil(await refusing('access-denied'), GROUP, LABEL)).toBeNull();
	});

	it('fails for every other reason: nothing is removed on a guess', async () => {
		await expect(protectedUntil(await refusing('unreachable'), GROUP, LABEL)).rejects.toMatchObject({
			code: 'unreachable',
		});
	});
});
