import { checkStorage } from '../../../core/verbs/check/check';
import { MemoryStorage } from '../../../core/storage/memory';
import { RetryingStorage } from '../../../core/storage/retrying';
import { OverwritingStorage } from '../../support/overwriting-storage';

it.each([
	['ignored', /the server ignores "only if absent".*do not let two of them back up the same source/, true],
	['refused', /the server refuses "only if absent".*do not let two of them back up the same source/, true],
	['kept', /of several runs that write the same object at once, one wins/, undefined],
] as const)('Check says that "only if absent" is %s, and what it means', async (answer, message, warning) => {
	// As a credential opens it.
	const found = await checkStorage(new RetryingStorage(new OverwritingStorage(answer)));
	expect(found).toMatchObject({ ok: true, message: expect.stringMatching(message) as string });
	expect(found.warning).toBe(warning);
});

it('Check says nothing of it where there is nothing to ask', async () => {
	const found = await checkStorage(new RetryingStorage(new MemoryStorage()));
	expect(found.message).toMatch(/can be written, read, listed and cleaned up$/);
});
