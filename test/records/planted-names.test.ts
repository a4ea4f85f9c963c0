/** Whoever can write to a storage can make objects of any name; none of them takes the place of a backup or of its proof. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { copyMissing } from '../../core/verbs/copy/copy';
import { parseLabel } from '../../core/records/label';
import { Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import { chooseForRestore } from '../../core/verbs/restore/restore';
import { writeText } from '../../core/records/small-objects';
import { FolderStorage } from '../../core/storage/folder/folder';
import { MemoryStorage } from '../../core/storage/memory';
import { newestReadable, verifyBackup } from '../../core/verbs/verify/verify';
import { searchBackups, searchGroups } from '../../nodes/shared/backups';
import { run } from '../support/command-line';
import { fakeListContext } from '../support/fake-node';
import { GROUP, NEVER } from '../support/small-backup';
import { buildBackup } from '../support/build-backup';
import { contentOf, newRepository } from '../support/stored-backups';

/** A name of a backup made later than any real one of these tests, but not in the future. */
const PLANTED = `${new Date(Date.now() + 60_000).toISOString().replace(/[-:]|\.\d+/g, '')}-full-aaaa`;

let repository: Repository;
let label: string;
beforeEach(async () => {
	repository = await newRepository();
	label = await buildBackup(repository);
	await writeText(repository.storage, objectKey(GROUP, PLANTED, 'manifest.json'), '{}');
});

describe('a newer name whose manifest says nothing', () => {
	it('and sixty of its kind hide nothing', async () => {
		for (let n = 0; n < 60; n++) {
			const name = PLANTED.replace(/aaaa$/, `a${String.fromCharCode(97 + (n % 26))}${2 + Math.floor(n / 26)}b`);
			await writeText(repository.storage, objectKey(GROUP, name, 'manifest.json'), '{}');
		}
		const { label: chosen, warnings } = await chooseForRestore(repository, await repository.list(), { kind: 'newest' });
		expect({ chosen, warnings: warnings.length }).toEqual({ chosen: label, warnings: 61 });
	});

	it('is passed over by a restore, with a warning, unless it is named', async () => {
		const entries = await repository.list(GROUP);
		for (const choice of [{ kind: 'newest' }, { kind: 'before', time: new Date(Date.now() + 120_000) }] as const) {
			expect(await chooseForRestore(repository, entries, choice)).toEqual({
				label,
				warnings: [expect.stringMatching(`^${GROUP}/${PLANTED} is newer, and was passed over because its manifest`)],
			});
		}
		const named = await chooseForRestore(repository, entries, { kind: 'label', label: PLANTED });
		expect(named).toEqual({ label: PLANTED, warnings: [] });
	});

	it('is bad for a verification of the newest, which looks at the real one as well', async () => {
		const chosen = await newestReadable(repository, await repository.list());
		expect(chosen.map((each) => each.label)).toEqual([label, PLANTED]);
		const request = { repository, group: GROUP, depth: 'stored', keys: null, signal: NEVER } as const;
		expect(await verifyBackup({ ...request, label: PLANTED })).toMatchObject({
			outcome: 'bad',
			code: 'invalid-manifest',
		});
		expect(await verifyBackup({ ...request, label })).toMatchObject({ outcome: 'ok' });
	});

	it('fails to be copied, and keeps the real one from nothing', async () => {
		const results = await copyMissing({
			from: repository,
			to: new MemoryStorage('memory:second'),
			newest: true,
			signal: NEVER,
		});
		expect(results).toMatchObject([
			{ label: PLANTED, status: 'failed', code: 'invalid-manifest' },
			{ label, status: 'copied' },
		]);
	});

	it('is named by the command that copies the newest of a group, and not copied', async () => {
		const [source, destination] = [mkdtempSync(join(tmpdir(), 'planted-')), mkdtempSync(join(tmpdir(), 'copied-'))];
		try {
			const storage = new FolderStorage({ path: source });
			for (const [key, bytes] of await contentOf(repository.storage)) await storage.write(key, Readable.from([bytes]));
			const urls = ['--storage', `file://${source}`, '--to-storage', `file://${destination}`];
			const { code, stderr } = await run(['copy', ...urls, GROUP]);
			expect({ code, stderr }).toEqual({
				code: 0,
				stderr: expect.stringContaining(`${PLANTED} is newer, and was passed over`),
			});
			const copied = await Repository.open(new FolderStorage({ path: destination }));
			expect((await copied.list()).map((each) => each.label)).toEqual([label]);
		} finally {
			for (const folder of [source, destination]) rmSync(folder, { recursive: true });
		}
	});

	it('is called not readable by the list of the command line and by those of the nodes', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'planted-'));
		try {
			const storage = new FolderStorage({ path: folder });
			for (const [key, bytes] of await contentOf(repository.storage)) await storage.write(key, Readable.from([bytes]));
			for (const more of [[], ['--group', GROUP]]) {
				const { stdout } = await run(['list', '--storage', `file://${folder}`, ...more]);
				const lines = stdout.trim().split('\n');
				expect(lines.map((line) => line.split('  NOT READABLE: ').length)).toEqual([1, 2]);
				expect(lines[1]).toContain(PLANTED);
			}
			const credentials = { backupStorageApi: { type: 'folder', path: folder } };
			const groups = await searchGroups.call(fakeListContext({ parameters: {}, credentials }));
			const time = new Date(parseLabel(label)!.startedAt).toISOString().slice(0, 19).replace('T', ' ');
			expect(groups.results).toEqual([{ name: `${GROUP} · 1 backup, newest ${time} UTC`, value: GROUP }]);
			const labels = await searchBackups.call(fakeListContext({ parameters: { group: GROUP }, credentials }));
			expect(labels.results.map(({ name, value }) => [value, name.endsWith(' · NOT READABLE')])).toEqual([
				[PLANTED, true],
				[label, false],
			]);
		} finally {
			rmSync(folder, { recursive: true });
		}
	});

	it('is refused, with what to do, where there is nothing else', async () => {
		const planted = (await repository.list(GROUP)).filter((each) => each.label === PLANTED);
		await expect(chooseForRestore(repository, planted, { kind: 'newest' })).rejects.toMatchObject({
			code: 'invalid-manifest',
			message: expect.stringContaining(`of the 1 backup of ${GROUP}`),
		});
	});
});

it('a name of evidence beside a copy does not make it a copy that was read back', async () => {
	const to = new MemoryStorage('memory:second');
	const [first] = await copyMissing({ from: repository, to, newest: true, signal: NEVER }).then((all) => all.slice(1));
	await to.remove(objectKey(GROUP, label, first!.evidence!));
	await writeText(to, objectKey(GROUP, label, 'verified-20260101T000000Z-restored-ok.json'), '{}');
	const [again] = await copyMissing({ from: repository, to, newest: true, signal: NEVER }).then((all) => all.slice(1));
	expect(again).toMatchObject({ label, evidence: expect.stringContaining('stored-ok') });
});
