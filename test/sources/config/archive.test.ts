/** Archives of configuration: what is in them, what is not, and what they say of it. */
import fs from 'node:fs';
import path from 'node:path';
import git from 'isomorphic-git';
import { generateIdentity } from '../../../core/codecs/age/keys';
import type { FilesContents } from '../../../core/sources/files/contents';
import type { Manifest } from '../../../core/records/manifest';
import { Repository } from '../../../core/records/repository';
import { type ConfigOptions, type ConfigReport, configSource, RECORD_FILE } from '../../../core/sources/config/source';
import { REMOVED } from '../../../core/sources/config/sanitise';
import { filesRestorer } from '../../../core/sources/files/restore/restorer';
import { MemoryStorage } from '../../../core/storage/memory';
import { type BackupRequest, backUp } from '../../../core/verbs/backup/backup';
import { lookInto } from '../../../core/verbs/look/look';
import { restoreBackup } from '../../../core/verbs/restore/restore';
import { makeCertificates } from '../../support/tls';
import { nextSecond, stopClock } from '../../support/clock';
import { createFolder, isRoot, itAsRoot, asNobody, removeFolder } from '../../support/folders';
import { CORPUS } from './corpus';

const GROUP = 'config/host';
const SECRET = 'h0rse-battery-5taple';
const { signal } = new AbortController();

let folder: string;
let root: string;
let storage: MemoryStorage;
beforeEach(() => {
	folder = createFolder('configuration');
	root = path.join(folder, 'srv');
	storage = new MemoryStorage();
	write(
		'shop/compose.yml',
		`services: {web: {image: "nginx:1.27", env_file: [.env], environment: {TOKEN: ${SECRET}}}}\n`,
	);
	write('shop/.env', `# Shop\nDB_PASSWORD=${SECRET}\nDEBUG=false\n`);
	write('nginx/nginx.conf', 'include sites-enabled/*;\n');
	write('nginx/sites-available/shop', 'server { listen 80; }\n');
	fs.mkdirSync(path.join(root, 'nginx/sites-enabled'));
	fs.symlinkSync('../sites-available/shop', path.join(root, 'nginx/sites-enabled/shop'));
});
afterEach(() => removeFolder(folder));
stopClock();

function write(name: string, text: string | Buffer): void {
	fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
	fs.writeFileSync(path.join(root, name), text);
}

type Made = { manifest: Manifest; report: ConfigReport };

async function back(options: Partial<ConfigOptions> = {}, request: Partial<BackupRequest> = {}): Promise<Made> {
	nextSecond();
	let report: ConfigReport | undefined;
	const source = configSource({
		...{ search: [root], secrets: 'removed' },
		...options,
		onReport: (told) => (report = told),
	});
	const { manifest } = await backUp({ storage, group: GROUP, source, encryption: null, signal, ...request });
	return { manifest, report: report! };
}

/** The files of the newest backup, restored; paths from the search's root. */
async function restored(request: { keys?: { identities: string[] } } = {}): Promise<string> {
	const to = fs.mkdtempSync(path.join(folder, 'restored-'));
	const repository = await Repository.open(storage);
	const result = await restoreBackup({
		...{ repository, group: GROUP, label: await newest(), keys: request.keys ?? null, signal },
		restorer: filesRestorer({ to }),
	});
	expect(result.comparison).toMatchObject({ ok: true });
	return to;
}

async function newest(): Promise<string> {
	return (await (await Repository.open(storage)).list(GROUP)).at(-1)!.label;
}

const doneOf = ({ report }: Made) =>
	Object.fromEntries(report.record.files.map((file) => [path.relative(root, file.path), file.done]));

describe('without secrets', () => {
	it('holds every file, each secret replaced, and links as links', async () => {
		fs.chmodSync(path.join(root, 'shop/.env'), 0o640);
		fs.utimesSync(path.join(root, 'shop/.env'), 1e9, 1e9);
		const made = await back();
		expect(doneOf(made)).toEqual({
			'nginx/nginx.conf': 'verbatim',
			'nginx/sites-available/shop': 'verbatim',
			'shop/.env': 'sanitised',
			'shop/compose.yml': 'sanitised',
		});
		expect(made.manifest).toMatchObject({ type: 'full', status: 'whole', warnings: [] });
		expect(made.manifest.source.details).toMatchObject({ secrets: 'removed', sanitisedFiles: 2, leftOutFiles: 0 });
		const to = await restored();
		const at = (name: string) => path.join(to, root, name);
		expect(fs.readFileSync(at('shop/.env'), 'utf8')).toBe(`# Shop\nDB_PASSWORD=${REMOVED}\nDEBUG=false\n`);
		expect(fs.statSync(at('shop/.env'))).toMatchObject({ mode: 0o100640, mtimeMs: 1e12 });
		expect(fs.readlinkSync(at('nginx/sites-enabled/shop'))).toBe('../sites-available/shop');
		const record = fs.readFileSync(path.join(to, RECORD_FILE), 'utf8');
		expect(JSON.parse(record)).toMatchObject({
			secrets: 'removed',
			images: [{ file: path.join(root, 'shop/compose.yml'), service: 'web', image: 'nginx:1.27' }],
		});
		expect(record).not.toContain('settings');
	});

	it('no planted secret is anywhere in what is stored', async () => {
		const secrets: string[] = [];
		for (const [number, [name, template]] of CORPUS.entries()) {
			const text = template.replace(/⟦([^⟧]*)⟧/g, (_, given: string) => {
				const secret =
					given === '' || given.includes('#')
						? `${given.replace('#', '')}q7Wz${number}KpLm9V${secrets.length}t2Rb`
						: given;
				if (given === '') secrets.push(secret);
				return secret;
			});
			write(`corpus${name}`, text);
		}
		expect(secrets.length).toBeGreaterThan(100);
		await back({ paths: [path.join(root, 'corpus')] });
		const to = await restored();
		const all = fs
			.readdirSync(to, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile())
			.map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name), 'latin1'))
			.join('\n');
		const contents = JSON.stringify(await contentsOf());
		expect(secrets.filter((secret) => all.includes(secret) || contents.includes(secret))).toEqual([]);
	});

	it('leaves out private keys and what cannot be looked at, and says why', async () => {
		write('tls/site.key', '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n');
		write('tls/blob.p12', Buffer.from([1, 0, 2]));
		write('shop/broken.yaml', 'a: [\n');
		write('shop/huge.env', 'A=1\n'.repeat(200_000));
		const made = await back({ paths: [path.join(root, 'shop')] });
		const why = made.report.record.files.flatMap((file) => (file.why ? [[path.basename(file.path), file.why]] : []));
		expect(Object.fromEntries(why)).toEqual({
			'site.key': 'is a private key',
			'blob.p12': 'is no text',
			'broken.yaml': 'is no YAML that can be read',
			'huge.env': 'is larger than 512 KiB',
		});
		expect(made.manifest.status).toBe('whole');
		expect(made.manifest.warnings).toEqual([
			'1 file larger than 512 KiB left out, because secrets in them would not be found',
		]);
	});

	it('takes paths whole, without what is excluded', async () => {
		write('etc/motd', 'hello\n');
		write('etc/deep/notes.txt', `password: ${SECRET}\n`);
		write('etc/cache/x', 'x\n');
		const made = await back({ search: [], paths: [path.join(root, 'etc')], exclude: ['cache/'] });
		expect(doneOf(made)).toEqual({ 'etc/motd': 'verbatim', 'etc/deep/notes.txt': 'sanitised' });
	});
});

describe('with secrets', () => {
	it('is refused without encryption, before anything is read', async () => {
		await expect(back({ secrets: 'kept', search: ['/nowhere'] })).rejects.toMatchObject({
			code: 'invalid-input',
			message: `${GROUP} may not be stored without encryption`,
		});
		expect(await collect(storage.list(''))).toEqual([]);
	});

	it('holds every file as it is', async () => {
		write('tls/site.key', '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n');
		const { identity, recipient } = await generateIdentity();
		const made = await back({ secrets: 'kept' }, { encryption: { recipients: [recipient] } });
		expect(new Set(Object.values(doneOf(made)))).toEqual(new Set(['verbatim']));
		const to = await restored({ keys: { identities: [identity] } });
		for (const name of ['shop/.env', 'shop/compose.yml', 'tls/site.key']) {
			expect(fs.readFileSync(path.join(to, root, name))).toEqual(fs.readFileSync(path.join(root, name)));
		}
		expect(JSON.stringify(made.report)).not.toContain(SECRET);
	});
});

describe('what changed', () => {
	it('is told by file, and by key of env files', async () => {
		expect((await back()).report.changes).toBeNull();
		expect((await back()).report.changes).toEqual([]);
		write('shop/.env', `# Shop\nDB_PASSWORD=${SECRET}\nDEBUG=true\nNEW=1\n`);
		write('shop/other.env', 'A=1\n');
		fs.rmSync(path.join(root, 'nginx/sites-enabled/shop'));
		fs.rmSync(path.join(root, 'nginx/sites-available/shop'));
		const { report } = await back();
		expect(report.changes!.map(({ says }) => says.replaceAll(`${root}/`, ''))).toEqual([
			'removed nginx/sites-available/shop',
			'changed shop/.env: DEBUG, NEW',
			'added shop/other.env',
		]);
	});

	it('of a secret, with a host key only, and never by a digest that could be tried out', async () => {
		const { recipient } = await generateIdentity();
		const host = (await generateIdentity()).identity;
		const request = { encryption: { recipients: [recipient] }, hostKey: host };
		for (const digestSecret of [undefined, host]) {
			await back({ digestSecret }, request);
			write('shop/.env', `# Shop\nDB_PASSWORD=${SECRET}${digestSecret ? 'x' : 'y'}\nDEBUG=false\n`);
			const { report } = await back({ digestSecret }, request);
			expect(report.changes!.flatMap(({ keys: names }) => names)).toEqual(digestSecret ? ['DB_PASSWORD'] : []);
		}
	});

	it('is unknown where the backup before cannot be read here', async () => {
		const { recipient } = await generateIdentity();
		const request = { encryption: { recipients: [recipient] } };
		await back({}, request);
		expect((await back({}, request)).report.changes).toBeNull();
	});
});

it('names the state of git repositories without running git', async () => {
	const dir = path.join(root, 'shop');
	await git.init({ fs, dir, defaultBranch: 'main' });
	for (const filepath of ['compose.yml', '.env']) await git.add({ fs, dir, filepath });
	const author = { name: 'a', email: 'a@example.org' };
	const commit = await git.commit({ fs, dir, message: 'one', author });
	const state = async () => (await back()).report.record.git;
	expect(await state()).toEqual([{ folder: dir, commit, branch: 'main', dirty: false }]);
	write('shop/.env', 'A=1\n');
	expect(await state()).toMatchObject([{ dirty: true }]);
	await git.add({ fs, dir, filepath: '.env' });
	expect(await state()).toMatchObject([{ dirty: true }]);
	fs.writeFileSync(path.join(dir, '.git/index'), 'no index');
	expect(await state()).toMatchObject([{ commit, dirty: null }]);
});

it('names certificates that end soon or have ended', async () => {
	for (const [name, days] of [
		['soon', 10],
		['fine', 200],
	] as const) {
		const { certPem } = await makeCertificates(fs.mkdtempSync(path.join(folder, 'made-')), days);
		write(`tls/${name}.crt`, certPem);
	}
	const { report, manifest } = await back();
	expect(report.certificates).toMatchObject([{ path: path.join(root, 'tls/soon.crt'), daysLeft: expect.any(Number) }]);
	expect(manifest.warnings).toEqual(['1 certificate about to expire']);
	expect(manifest.source.details).toMatchObject({
		certificates: 2,
		firstCertificateEnd: report.certificates[0]!.notAfter,
	});
});

it('nothing found is an error, and not a backup', async () => {
	fs.mkdirSync(path.join(folder, 'empty'));
	await expect(back({ search: [path.join(folder, 'empty')] })).rejects.toMatchObject({ code: 'source-missing' });
	await expect(back({ search: [] })).rejects.toMatchObject({ code: 'invalid-input', message: 'no folder given' });
});

itAsRoot('a file that cannot be read makes the backup incomplete, and is named', async () => {
	fs.chmodSync(path.join(root, 'shop/.env'), 0o600);
	for (const each of [folder, root]) fs.chmodSync(each, 0o755);
	const made = await asNobody(async () => await back());
	expect(made.manifest).toMatchObject({ status: 'incomplete', warnings: ['1 file could not be read'] });
	expect(made.report.record.files.find(({ done }) => done === 'left out')?.path).toBe(path.join(root, 'shop/.env'));
	expect(isRoot).toBe(true);
});

async function contentsOf(): Promise<FilesContents> {
	const repository = await Repository.open(storage);
	const label = await newest();
	return await lookInto(
		{ repository, group: GROUP, label, keys: null, signal },
		async (backup) => await Promise.resolve(backup.contents as FilesContents),
	);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
	const all: T[] = [];
	for await (const each of items) all.push(each);
	return all;
}
