import { about, afterTidying, BackupError } from '../../core/base/errors';

const lost = new BackupError('damaged', 'memory: kept 3 of 5 bytes of a/b', { hint: 'Do not trust it.' });

describe('an error after tidying up', () => {
	it('is the same one where that went well', async () => {
		expect(await afterTidying(lost, async () => undefined)).toBe(lost);
	});

	it('keeps its place where that failed as well, and says so', async () => {
		const denied = async () => await Promise.reject(new BackupError('access-denied', 'cannot remove s3://b/a/b'));
		expect(await afterTidying(lost, denied)).toMatchObject({
			code: 'damaged',
			message: lost.message,
			hint: 'Do not trust it. What was stored of it could not be removed: cannot remove s3://b/a/b.',
		});
	});
});

describe('what an error is about', () => {
	it('comes first, once', () => {
		const error = about('postgres/shop/x', new BackupError('damaged', 'a frame is damaged')) as BackupError;
		expect(error).toMatchObject({ code: 'damaged', message: 'postgres/shop/x: a frame is damaged' });
		expect(about('postgres/shop/x', error)).toBe(error);
	});

	it('is not said of what somebody stopped, nor of a defect of the program', () => {
		for (const error of [new BackupError('cancelled', 'stopped'), new TypeError('x is not a function')]) {
			expect(about('postgres/shop/x', error)).toBe(error);
		}
	});
});
