import type { BackupError } from '../../../core/base/errors';
import type { BackupEntry } from '../../../core/records/repository';
import { chooseBackup } from '../../../core/verbs/restore/choice';
import { newestOfEach } from '../../../core/records/newest';

describe('choosing a backup', () => {
	const entry = (label: string): BackupEntry => ({
		group: 'g',
		label,
		type: 'full',
		startedAt: Date.parse(label),
		storedBytes: 1,
		dataBytes: 1,
		parents: [],
		pinned: false,
		tags: [],
		expiring: false,
		verifications: [],
	});
	const entries = ['2026-01-02', '2026-01-03', '2026-01-01'].map(entry);

	it('takes the newest, a label, or the newest that was started before a time', () => {
		expect(chooseBackup(entries, { kind: 'newest' }).label).toBe('2026-01-03');
		expect(chooseBackup(entries, { kind: 'label', label: '2026-01-01' }).label).toBe('2026-01-01');
		const before = (time: string) => chooseBackup(entries, { kind: 'before', time: new Date(time) }).label;
		expect(before('2026-01-02T12:00:00Z')).toBe('2026-01-02');
		expect(before('2026-01-02T00:00:00Z')).toBe('2026-01-02');
		expect(before('2030-01-01')).toBe('2026-01-03');
	});

	it('takes what a wrong clock has dated in the future by its label only', () => {
		const now = Date.parse('2026-01-04');
		const ahead = [...entries, entry('2099-01-01')];
		expect(chooseBackup(ahead, { kind: 'newest' }, now).label).toBe('2026-01-03');
		expect(chooseBackup(ahead, { kind: 'before', time: new Date('2100-01-01') }, now).label).toBe('2026-01-03');
		expect(chooseBackup(ahead, { kind: 'label', label: '2099-01-01' }, now).label).toBe('2099-01-01');
		expect(() => chooseBackup([entry('2099-01-01')], { kind: 'newest' }, now)).toThrow(/dated in the future/);
		expect(newestOfEach(ahead, now).map(({ label }) => label)).toEqual(['2026-01-03']);
	});

	it('says what there is when nothing fits', () => {
		const miss = (choice: Parameters<typeof chooseBackup>[1], from = entries) => {
			try {
				chooseBackup(from, choice);
			} catch (error) {
				return error as BackupError;
			}
			throw new Error('something was chosen');
		};
		expect(miss({ kind: 'newest' }, [])).toMatchObject({ code: 'not-found' });
		expect(miss({ kind: 'label', label: 'x' })).toMatchObject({
			code: 'not-found',
			hint: expect.stringContaining('2026-01-03'),
		});
		expect(miss({ kind: 'before', time: new Date('2025-01-01') }).hint).toContain('2026-01-01T00:00:00.000Z');
	});
});
