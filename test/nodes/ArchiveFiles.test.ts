/** Archive Files: real folders, real archives; n8n itself is in test/e2e. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { NodeHelpers, type INode, type INodeParameters } from 'n8n-workflow';
import { generateIdentity, type KeyPair } from '../../core/codecs/age/keys';
import { Repository } from '../../core/records/repository';
import { filesRestorer } from '../../core/sources/files/restore/restorer';
import { createStorage } from '../../core/storage/create';
import { restoreBackup } from '../../core/verbs/restore/restore';
import { ArchiveFiles } from '../../nodes/ArchiveFiles/ArchiveFiles.node';
import { nextSecond, stopClock } from '../support/clock';
import { type FakeNode, fakeContext } from '../support/fake-node';
import { from, type Json, reportOn } from '../support/report-items';
import { filesBelow, manifestsBelow } from '../support/stored-files';
import { expectAlike, treeOf } from '../support/trees';

const node = new ArchiveFiles();
let top: string;
let storageFolder: string;
let key: KeyPair;
let host: KeyPair;
let credentials: FakeNode['credentials'];

stopClock();
beforeAll(async () => {
	[key, host] = await Promise.all([generateIdentity(), generateIdentity()]);
});
beforeEach(() => {
	top = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'archive-files-')));
	storageFolder = path.join(top, 'backups');
	fs.mkdirSync(storageFolder);
	write('www/index.html', 'SECRET-PAGE');
	write('www/cache/page.html', 'cached');
	credentials = {
		backupStorageApi: { type: 'folder', path: storageFolder },
		backupEncryptionApi: { method: 'recipients', recipients: key.recipient, identity: key.identity },
	};
});
afterEach(() => fs.rmSync(top, { recursive: true, force: true }));

function write(name: string, text: string): void {
	fs.mkdirSync(path.dirname(path.join(top, name)), { recursive: true });
	fs.writeFileSync(path.join(top, name), text);
}

const DEFAULTS = {
	...{ operation: 'archive', preset: 'none', choose: 'together', groupPrefix: 'files', name: 'www', exclude: '' },
	...{ type: 'auto', fullEvery: 7, maxChain: 30, encryption: 'age', verifyAfterwards: 'no', options: {} },
};

async function run(parameters: Record<string, unknown> = {}, more: Partial<FakeNode> = {}) {
	nextSecond();
	const own = { ...DEFAULTS, paths: path.join(top, 'www'), ...parameters };
	const fake = fakeContext({ parameters: own, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	return { items: items!.map(({ json }) => json as Json), hints: fake.hints };
}

async function restored(item: Json, identity = key.identity): Promise<string[]> {
	const to = fs.mkdtempSync(path.join(top, 'restored-'));
	const { group, label } = item as { group: string; label: string };
	const repository = await Repository.open(createStorage({ type: 'folder', path: storageFolder }));
	await restoreBackup({
		...{ repository, group, label, keys: { identities: [identity] }, signal: new AbortController().signal },
		restorer: filesRestorer({ to, owners: 'numbers' }),
	});
	return treeOf(path.join(to, top, 'www'));
}

describe('Archive', () => {
	it('stores a tree that is restored and compared right away, and says so first', async () => {
		const { items, hints } = await run({ verifyAfterwards: 'deepest' });
		expect(items).toEqual([
			expect.objectContaining({
				...{ ok: true, status: 'stored', group: 'files/www', type: 'full', name: 'www', complete: true },
				...{ files: 2, folders: 2, bytes: 17, goneEntries: 0, parents: 0, encrypted: true, proved: true },
				verification: expect.objectContaining({ ok: true, depth: 'restored' }),
				retention: null,
				named: [],
			}),
		]);
		expect(Object.entries(items[0]!)[0]).toEqual([
			'summary',
			expect.stringMatching(/^files\/www: 2 files of 17 B; .* stored, restored and compared: 2 files of 17 B$/),
		]);
		expect(JSON.stringify([items, hints])).not.toMatch(/SECRET-PAGE|AGE-SECRET/);
		expectAlike(await restored(items[0]!), treeOf(path.join(top, 'www')));
		const report = reportOn(from('dump', ...items));
		expect(report).toMatchObject({ outcome: 'ok', subject: expect.stringContaining('files/www') });
		expect(report.text).toMatch(/2 files.*verified: restored in .*, 2 files as they were/s);
	});

	it('stores only what is new or changed the next time, and restores all of it', async () => {
		await run();
		write('www/new.html', 'new');
		fs.rmSync(path.join(top, 'www/cache'), { recursive: true });
		const { items } = await run({ verifyAfterwards: 'deepest' });
		expect(items[0]).toMatchObject({
			summary: expect.stringMatching(/^files\/www: 2 files of 14 B; 2 new or changed, 1 gone, .* stored/),
			...{ type: 'incremental', parents: 1, verification: { depth: 'restored', ok: true } },
		});
		expectAlike(await restored(items[0]!), treeOf(path.join(top, 'www')));
	});

	it('needs the host key to build on what it cannot read, and makes a full one without, with the reason', async () => {
		delete credentials.backupEncryptionApi!.identity;
		await run({ verifyAfterwards: 'deepest' });
		const { items, hints } = await run();
		expect(items[0]).toMatchObject({ type: 'full', warnings: [expect.stringContaining('with a host key')] });
		expect(hints.map(({ message }) => message).join()).toContain('with a host key');
		await expect(run({ type: 'incremental' })).rejects.toThrow(/no key was given/);

		credentials.backupEncryptionApi!.hostKey = host.identity;
		expect((await run()).items[0]).toMatchObject({ type: 'full' });
		const { items: next } = await run({ verifyAfterwards: 'deepest' });
		expect(next[0]).toMatchObject({ type: 'incremental', verification: { depth: 'stored' }, proved: false });
		expectAlike(await restored(next[0]!), treeOf(path.join(top, 'www')));
		await expect(restored(next[0]!, host.identity)).rejects.toMatchObject({ code: 'wrong-identity' });
	});

	it('makes a backup of each customer, whose failure stops no other, and fails after all of them', async () => {
		for (const name of ['acme', 'Bäckerei & Co', 'zebra']) write(`customers/${name}/index.html`, name);
		fs.symlinkSync('/etc', path.join(top, 'customers/evil'));
		const each = { choose: 'each', paths: path.join(top, 'customers/*') };
		const restricted = { allowedFolder: top };
		await expect(run(each, restricted)).rejects.toMatchObject({
			message: expect.stringMatching(/^1 of 4 folders could not be backed up: evil: n8n may not use the folder/),
			description: expect.stringContaining('Stored all the same: 3.'),
		});
		const { items } = await run({ ...each, type: 'full' }, { ...restricted, continueOnFail: true });
		expect(items).toEqual([
			expect.objectContaining({ group: 'files/Bäckerei=20=26=20Co', name: 'Bäckerei & Co', files: 1 }),
			expect.objectContaining({ group: 'files/acme' }),
			{
				error: expect.stringContaining('may not use'),
				details: expect.objectContaining({ group: 'files/evil', name: 'evil', code: 'access-denied' }),
			},
			expect.objectContaining({ group: 'files/zebra' }),
		]);
		expect(reportOn(from('dump', ...items))).toMatchObject({
			outcome: 'failed',
			text: expect.stringContaining('evil'),
		});
	});

	it('encrypts each item’s backup to recipients of its own, so that no customer opens the backup of another', async () => {
		const own = await generateIdentity();
		const other = await generateIdentity();
		const { items } = await run(
			{},
			{
				parametersOf: [
					{ name: 4711, options: { recipients: own.recipient } },
					{ name: 'beta', options: { recipients: `${other.recipient}\n${key.recipient}` } },
				],
			},
		);
		expect(items).toMatchObject([
			{ group: 'files/4711', proved: false },
			{ group: 'files/beta', proved: true },
		]);
		const original = treeOf(path.join(top, 'www'));
		expectAlike(await restored(items[0]!, own.identity), original);
		expectAlike(await restored(items[1]!, other.identity), original);
		for (const [item, stranger] of [
			[items[0]!, other.identity],
			[items[0]!, key.identity],
			[items[1]!, own.identity],
		] as const) {
			await expect(restored(item, stranger)).rejects.toMatchObject({ code: 'wrong-identity' });
		}
	});

	it('makes a full backup where its recipients could not open those before it, and says so', async () => {
		const own = await generateIdentity();
		const options = { recipients: `${own.recipient}, ${key.recipient}` };
		await run();
		const { items } = await run({ options });
		expect(items[0]).toMatchObject({ type: 'full', warnings: [expect.stringContaining('its recipients are others')] });
		expect((await run({ operation: 'preview' })).items[0]).toMatchObject({ type: 'incremental' });
		// Who is left out from now on can open what is before, and nothing more.
		expect((await run()).items[0]).toMatchObject({ type: 'incremental', warnings: [] });
		const refused = run({ type: 'incremental', options });
		await expect(refused).rejects.toThrow(/are not encrypted as this one will be/);
		credentials.backupEncryptionApi = { method: 'passphrase', passphrase: 'a long enough passphrase' };
		await expect(run({ type: 'differential' })).rejects.toThrow(/are not encrypted as this one will be/);
	});

	it('leaves out what the patterns say and what is too large, and names the latter', async () => {
		write('www/large.bin', 'x'.repeat(1_100_000));
		const { items } = await run({ exclude: '# caches\ncache/', options: { maxFileSize: 1 } });
		expect(items[0]).toMatchObject({
			...{ files: 1, folders: 1, remarks: { 'left-out': 1, 'too-large': 1 } },
			named: [{ path: path.join(top, 'www/large.bin'), why: 'too-large' }],
		});
	});

	it('keeps what a policy keeps, and never a chain without its full backup', async () => {
		await run({ type: 'full', verifyAfterwards: 'stored' });
		await run({ type: 'full', verifyAfterwards: 'stored' });
		const keep = { keep: 'last=1,minimum=1', verifyAfterwards: 'stored' };
		const { items } = await run({ ...keep, type: 'incremental' });
		expect(items[0]).toMatchObject({ retention: { status: 'applied', kept: 2, removed: [expect.any(String)] } });
	});

	it('warns when more is gone than may be lost', async () => {
		for (let n = 0; n < 8; n++) write(`www/${n}.txt`, 'x');
		await run({ type: 'full' });
		for (let n = 0; n < 3; n++) fs.rmSync(path.join(top, `www/${n}.txt`));
		const lost = async (maxLost: number) => (await run({ type: 'full', options: { maxLost } })).items[0]!.warnings;
		expect(await lost(25)).toEqual([expect.stringMatching(/^30 % of the files are gone since/)]);
		expect(await lost(40)).toEqual([]);
	});
});

describe('what may be archived', () => {
	it('is what n8n allows, also through links, and nobody learns what exists elsewhere', async () => {
		fs.symlinkSync('/etc', path.join(top, 'link'));
		const restricted = { allowedFolder: top };
		for (const paths of ['/etc', path.join(top, 'link'), '/nowhere', path.join(top, 'www/../../../etc')]) {
			await expect(run({ paths }, restricted)).rejects.toThrow(/n8n may not use the folder/);
		}
		await expect(run({ choose: 'each', paths: '/etc/*' }, restricted)).rejects.toThrow(/may not use the folder \/etc/);
		await expect(run({ choose: 'each', paths: `${top}/*/ssl` }, restricted)).rejects.toThrow(/may not use the folder/);
		expect(manifestsBelow(storageFolder)).toEqual([]);
	});

	it('holds nothing of n8n itself, unless n8n lets its nodes read that', async () => {
		const before = process.env.N8N_USER_FOLDER;
		process.env.N8N_USER_FOLDER = path.join(top, 'www');
		try {
			write('www/.n8n/config', '{}');
			await expect(run()).rejects.toThrow(/holds .*\.n8n, which n8n lets no node read/);
			process.env.N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES = 'false';
			expect((await run()).items[0]).toMatchObject({ files: 3 });
		} finally {
			delete process.env.N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES;
			if (before === undefined) delete process.env.N8N_USER_FOLDER;
			else process.env.N8N_USER_FOLDER = before;
		}
	});

	it('is never the storage itself, unless that is left out', async () => {
		await expect(run({ paths: top })).rejects.toMatchObject({
			message: expect.stringContaining('lies in'),
			description: expect.stringContaining('exclude them with the line /backups/'),
		});
		await expect(run({ paths: storageFolder })).rejects.toThrow(/lies in/);
		expect((await run({ paths: top, exclude: '/backups/' })).items[0]).toMatchObject({ files: 2 });
	});
});

it.each([
	['no path', { paths: ' \n' }, /"Paths" is empty/],
	['no name', { name: '' }, /"Name" is empty/],
	['no prefix', { groupPrefix: '' }, /"Group Prefix" is empty/],
	['a relative path', { paths: 'www' }, /"www" is not an absolute path/],
	['a path that is not there', { paths: '/tmp/not-there' }, /\/tmp\/not-there is not there/],
	['an unknown type', { type: 'partial' }, /invalid value for "Type": partial/],
	['an unknown choice', { choose: 'all' }, /invalid value for "Make": all/],
	['a chain of nothing', { maxChain: 0 }, /invalid value for "Longest Chain": 0/],
	['a negative size', { options: { maxFileSize: -1 } }, /invalid value for "Maximum File Size": -1/],
	['a share over 100', { options: { maxLost: 101 } }, /invalid value for "Warn When Lost": 101/],
	[
		'an incremental of nothing',
		{ type: 'incremental' },
		/no backup of files\/www that an incremental one can build on/,
	],
])('refuses %s, and stores nothing', async (_, parameters, message) => {
	await expect(run(parameters)).rejects.toThrow(message);
	expect(manifestsBelow(storageFolder)).toEqual([]);
});

describe('Preview', () => {
	it('says what would be stored, what is large and what is left out, and writes nothing', async () => {
		write('www/media/film.mp4', 'x'.repeat(5000));
		write('www/media/song.mp3', 'x'.repeat(3000));
		const { items } = await run({ operation: 'preview', exclude: 'cache/' });
		expect(items).toEqual([
			expect.objectContaining({
				summary: 'files/www: 3 files of 8.0 kB; 5 entries of 8.0 kB would be stored, 1 left out',
				...{ ok: true, status: 'previewed', group: 'files/www', type: 'full', buildsOn: null, notes: [] },
				...{ files: 3, folders: 2, newOrChanged: 5, newOrChangedBytes: 8011, gone: 0, leftOut: 1 },
				largestFiles: [
					{ path: `${top}/www/media/film.mp4`, bytes: 5000 },
					{ path: `${top}/www/media/song.mp3`, bytes: 3000 },
					{ path: `${top}/www/index.html`, bytes: 11 },
				],
				largestFolders: [
					{ path: `${top}/www/media`, bytes: 8000 },
					{ path: `${top}/www`, bytes: 11 },
				],
				named: [{ path: `${top}/www/cache`, why: 'left-out' }],
			}),
		]);
		expect(filesBelow(storageFolder)).toEqual([]);
		expect(reportOn(from('dump', ...items)).counts.otherItems).toBe(0);
	});

	it('says on which backup the next one would build, or why on none', async () => {
		const { items: made } = await run();
		write('www/new.html', 'new');
		const before = filesBelow(storageFolder);
		const { items } = await run({ operation: 'preview' });
		expect(items[0]).toMatchObject({ type: 'incremental', buildsOn: made[0]!.label, newOrChanged: 2 });
		delete credentials.backupEncryptionApi!.identity;
		const { items: blind } = await run({ operation: 'preview' });
		expect(blind[0]).toMatchObject({ type: 'full', notes: [expect.stringContaining('with a host key')] });
		expect(filesBelow(storageFolder)).toEqual(before);
	});

	it('looks at each folder, also where one cannot be read', async () => {
		const each = { operation: 'preview', choose: 'each', paths: path.join(top, '*'), exclude: '' };
		await expect(run(each)).rejects.toThrow(/^1 of 2 folders could not be previewed: backups: the storage/);
	});
});

describe('a preset', () => {
	const { properties } = node.description;
	const filled = (parameters: INodeParameters) =>
		NodeHelpers.getNodeParameters(properties, parameters, true, false, {} as INode, node.description)!;

	it.each([
		['none', { choose: 'together', paths: '', exclude: '', keep: 'everything', groupPrefix: 'files' }],
		['volumes', { choose: 'each', paths: '/var/lib/docker/volumes/*/_data', groupPrefix: 'volumes' }],
		['logs', { paths: '/var/log', keep: 'logs', name: 'logs', exclude: expect.stringContaining('!*.gz') }],
		['website', { choose: 'together', keep: 'everything', exclude: expect.stringContaining('wp-content/cache/') }],
		['n8n', { paths: '~/.n8n', name: 'n8n', groupPrefix: 'files', exclude: expect.stringContaining('/*.log') }],
	])('%s fills in its fields, each once', (preset, values) => {
		const all = filled({ preset });
		expect(all).toMatchObject(values);
		const shown = properties.filter((each) => NodeHelpers.displayParameter(all, each, null, null));
		const names = shown.map(({ name }) => name);
		expect(names).toEqual([...new Set(names)]);
	});

	it('does not touch what a user has changed', () => {
		// As the editor does when a field changes: what is as it was at first is not kept.
		const kept = NodeHelpers.getNodeParameters(
			...([properties, { ...filled({}), paths: '/srv' }, false, false, {} as INode, node.description] as const),
		)!;
		expect(filled({ ...kept, preset: 'logs' })).toMatchObject({ paths: '/srv', keep: 'logs', name: 'logs' });
	});

	it('archives each named volume of Docker, and none that nobody has named', async () => {
		for (const name of ['shop_data', 'crm_uploads', 'a'.repeat(64)]) write(`volumes/${name}/_data/file`, name);
		write('volumes/metadata.db', '');
		const { paths, ...parameters } = filled({ preset: 'volumes' });
		const own = (paths as string).replace('/var/lib/docker', top);
		const { items } = await run({ ...parameters, paths: own, verifyAfterwards: 'no' });
		expect(items).toMatchObject([{ group: 'volumes/crm_uploads' }, { group: 'volumes/shop_data' }]);
	});

	it.each([
		['logs', ['app.log', 'app.log.1', 'app.log.2.gz', 'old/audit-20261101', 'journal/system@0006.journal'], 4],
		['website', ['index.php', 'blog/wp-content/cache/x', 'wp-content/cache/y', 'wp-content/uploads/z'], 2],
	])('%s leaves out what it is not for', async (preset, names, files) => {
		for (const name of names) write(`${preset}/${name}`, name);
		const parameters = { ...filled({ preset }), paths: path.join(top, preset), name: preset };
		expect((await run({ ...parameters, keep: 'everything', verifyAfterwards: 'no' })).items[0]).toMatchObject({
			files,
		});
	});

	describe('n8n', () => {
		const KEY = 'n8n-KEY-of-all-credentials';
		const own = { N8N_USER_FOLDER: '', N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES: 'false', DB_SQLITE_DATABASE: '' };
		const kept = { ...process.env };
		beforeEach(() => {
			Object.assign(process.env, own, { N8N_USER_FOLDER: top });
			write('.n8n/config', JSON.stringify({ encryptionKey: KEY }));
			write('.n8n/nodes/package.json', '{"dependencies": {"n8n-nodes-backup": "0.1.0"}}');
			write('.n8n/binaryData/workflows/1/file', 'binary');
			write('.n8n/storage/workflows/2/file', 'newer binary');
			for (const noise of ['n8nEventLog.log', 'logs/n8n.log', 'crash.journal', 'node-definitions/a.json']) {
				write(`.n8n/${noise}`, 'noise');
			}
			const database = new DatabaseSync(path.join(top, '.n8n/database.sqlite'));
			database.exec('PRAGMA journal_mode = WAL; CREATE TABLE workflow_entity (id TEXT); PRAGMA wal_checkpoint;');
			open = database;
		});
		let open: DatabaseSync;
		afterEach(() => {
			open.close();
			for (const name of Object.keys(process.env)) if (!(name in kept)) delete process.env[name];
			Object.assign(process.env, kept);
		});

		it('finds n8n’s folder, stores what a restore needs of it, and names n8n’s version', async () => {
			open.exec("INSERT INTO workflow_entity VALUES ('in the log only')");
			const [program] = process.argv.splice(1, 1, path.join(top, 'n8n/bin/n8n'));
			write('n8n/bin/n8n', '');
			write('n8n/package.json', '{"name": "n8n", "version": "2.40.7"}');
			try {
				const { items } = await run({ ...filled({ preset: 'n8n' }), verifyAfterwards: 'no' });
				expect(items[0]).toMatchObject({ group: 'files/n8n', paths: [path.join(top, '.n8n')], files: 5, warnings: [] });
				const [manifest] = manifestsBelow(storageFolder);
				const { source } = JSON.parse(fs.readFileSync(path.join(storageFolder, manifest!), 'utf8')) as {
					source: { details: unknown };
				};
				expect(source.details).toMatchObject({ n8nVersion: '2.40.7' });
				expect(JSON.stringify(items)).not.toContain(KEY);
			} finally {
				process.argv.splice(1, 1, program!);
			}
			const to = fs.mkdtempSync(path.join(top, 'restored-'));
			const repository = await Repository.open(createStorage({ type: 'folder', path: storageFolder }));
			const { label } = (await repository.list('files/n8n'))[0]!;
			await restoreBackup({
				...{ repository, group: 'files/n8n', label, keys: { identities: [key.identity] } },
				...{ signal: new AbortController().signal, restorer: filesRestorer({ to }) },
			});
			const copy = new DatabaseSync(path.join(to, top, '.n8n/database.sqlite'), { readOnly: true });
			expect(copy.prepare('SELECT id FROM workflow_entity').all()).toEqual([{ id: 'in the log only' }]);
			copy.close();
		});

		it('is refused without encryption, whatever the preset, and says why', async () => {
			const plain = { encryption: 'none', verifyAfterwards: 'no' };
			for (const parameters of [
				{ ...filled({ preset: 'n8n' }), ...plain },
				{ ...plain, paths: path.join(top, '.n8n/config') },
			]) {
				await expect(run(parameters)).rejects.toMatchObject({
					message: expect.stringContaining('may not be stored without encryption'),
					description: expect.stringMatching(/^n8n’s key is in it, which opens all its credentials/),
				});
			}
			expect(manifestsBelow(storageFolder)).toEqual([]);
			await expect(run({ ...plain })).resolves.toBeDefined();
		});

		it('is refused while n8n keeps its folder from nodes, and says which setting that is', async () => {
			process.env.N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES = 'true';
			await expect(run({ ...filled({ preset: 'n8n' }), verifyAfterwards: 'no' })).rejects.toMatchObject({
				description: expect.stringContaining('N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES=false'),
			});
		});

		it('warns of what n8n keeps elsewhere, by the names of settings', async () => {
			process.env.N8N_STORAGE_PATH = path.join(top, 'elsewhere');
			process.env.DB_SQLITE_DATABASE = path.join(top, 'database.sqlite');
			process.env.N8N_CUSTOM_EXTENSIONS = `${path.join(top, '.n8n/nodes')};${path.join(top, 'own')}`;
			const { items } = await run({ ...filled({ preset: 'n8n' }), verifyAfterwards: 'no' });
			expect(items[0]!.warnings).toEqual([
				'not among the paths: n8n’s SQLite database (DB_SQLITE_DATABASE)',
				'not among the paths: n8n’s binary data (N8N_STORAGE_PATH)',
				'not among the paths: n8n’s own nodes (N8N_CUSTOM_EXTENSIONS)',
			]);
		});
	});
});
