import { Readable } from 'node:stream';
import type { BackupError } from '../../../core/base/errors';
import type { BackupEntry } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { newestOfEach } from '../../../core/records/newest';
import { chooseBackup, chooseForRestore } from '../../../core/verbs/restore/choice';
import { addEvidence, GROUP } from '../../support/build-backup';
import { addBackup } from '../../support/dated-backups';
import { newRepository } from '../../support/stored-backups';

describe('choosing a backup', () => {
	const entry = (label: string): BackupEntry => ({
		group: 'g',
		label,
		type: 'full',
		startedAt: Date.parse(label),
		storedBytes: 1,
		dataBytes: 1,
		parents: [],
		approved: false,
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

describe('a backup that a verification found bad', () => {
	const choose = async (repository: Awaited<ReturnType<typeof newRepository>>, label?: string) =>
		await chooseForRestore(
			repository,
			await repository.list(GROUP),
			label === undefined ? { kind: 'newest' } : { kind: 'label', label },
		);

	it('is passed over by a restore of the newest, with a warning, and taken with a warning when it is named', async () => {
		const repository = await newRepository();
		const sound = await addBackup(repository, { at: '2026-11-01T02:00:00Z' });
		const bad = await addBackup(repository, { at: '2026-11-02T02:00:00Z', verified: 'restored', ok: false });
		const failed = `failed a verification (restored) at 2026-11-02T02:00:00.000Z`;
		expect(await choose(repository)).toEqual({
			label: sound,
			warnings: [`${GROUP}/${bad} is newer, and was passed over because it ${failed}`],
		});
		expect(await choose(repository, bad)).toEqual({ label: bad, warnings: [`${GROUP}/${bad} ${failed}`] });
		await addEvidence(repository, bad, { at: '2026-11-03T02:00:00Z', depth: 'restored' });
		expect(await choose(repository)).toEqual({ label: bad, warnings: [] });
	});

	it('is not chosen where there is nothing else', async () => {
		const repository = await newRepository();
		await addBackup(repository, { at: '2026-11-02T02:00:00Z', verified: 'stored', ok: false });
		await expect(choose(repository)).rejects.toMatchObject({
			code: 'damaged',
			message: expect.stringContaining('failed a verification (stored)'),
			hint: expect.stringContaining('by its label'),
		});
	});

	it('is not bad because of a name that anybody can make', async () => {
		const repository = await newRepository();
		const label = await addBackup(repository, { at: '2026-11-02T02:00:00Z' });
		await repository.storage.write(
			objectKey(GROUP, label, 'verified-20261103T020000Z-stored-failed.json'),
			Readable.from(['{}']),
		);
		expect(await choose(repository)).toEqual({ label, warnings: [] });
	});
});
