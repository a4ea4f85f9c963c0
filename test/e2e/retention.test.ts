/** The retention workflow in a real n8n: by hand it shows, on schedule it removes, and it says when a group is blocked. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PRIORITIES } from '../../gulp/preselected-trigger.js';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { ApplyRetention } from '../../nodes/ApplyRetention/ApplyRetention.node';
import { ArchiveBucket } from '../../nodes/ArchiveBucket/ArchiveBucket.node';
import { ArchiveConfig } from '../../nodes/ArchiveConfig/ArchiveConfig.node';
import { ArchiveFiles } from '../../nodes/ArchiveFiles/ArchiveFiles.node';
import { BackupRequests } from '../../nodes/BackupRequests/BackupRequests.node';
import { BackupStatus } from '../../nodes/BackupStatus/BackupStatus.node';
import { BackupReport } from '../../nodes/BackupReport/BackupReport.node';
import { CopyBackup } from '../../nodes/CopyBackup/CopyBackup.node';
import { EncryptionKey } from '../../nodes/EncryptionKey/EncryptionKey.node';
import { PostgresBaseBackup } from '../../nodes/PostgresBaseBackup/PostgresBaseBackup.node';
import { PostgresDump } from '../../nodes/PostgresDump/PostgresDump.node';
import { RestoreBackup } from '../../nodes/RestoreBackup/RestoreBackup.node';
import { VerifyBackup } from '../../nodes/VerifyBackup/VerifyBackup.node';
import { n8nFolder } from '../../scripts/lib/n8n.mjs';
import { addBackup, addOrphan } from '../support/dated-backups';
import {
	assertSuccess,
	type Choices,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import { type Channels, startChannels } from '../support/channels';
import { folderCredential, newFolder } from '../support/n8n-credentials';
import { NOT_NOW, OFTEN, runOnSchedule } from '../support/n8n-schedule';
import { type ReportReceiver, startReportReceiver } from '../support/report-receiver';
import { filesBelow } from '../support/stored-files';

const DAY_MS = 24 * 3_600_000;
const TEST_MS = 180_000;
const BLOCKED = { group: 'postgres/crm', blocked: [{ risk: 'unverified' }] };

let n8n: TestN8n;
let receiver: ReportReceiver;
let channels: Channels;
let folder: string;
let repository: Repository;
/** Of the group postgres/shop: too old for thirty days. */
let old: string[];

beforeAll(async () => {
	receiver = await startReportReceiver();
	channels = await startChannels();
	n8n = await sharedN8n();
}, N8N_START_MS);

afterAll(async () => {
	await n8n?.stop();
	await receiver?.stop();
	await channels?.stop();
}, 60_000);

beforeEach(async () => {
	folder = newFolder(n8n);
	repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	const add = async (group: string, days: number, verified: 'stored' | null = 'stored') =>
		await addBackup(repository, { group, at: new Date(Date.now() - days * DAY_MS).toISOString(), verified });
	old = [await add('postgres/shop', 50), await add('postgres/shop', 40)];
	for (const days of [20, 10, 0.5]) await add('postgres/shop', days);
	for (const days of [60, 40, 20, 10]) await add('postgres/crm', days);
	await add('postgres/crm', 0.5, null);
});

it(
	'shows what would be removed and why, and removes nothing, when somebody presses "Execute workflow"',
	async () => {
		await addOrphan(repository, 'postgres/shop', new Date());
		const before = backupFiles();
		const run = assertSuccess(await n8n.client.press(await importRetention()));
		expect(itemsOf(run, 'Plan for All Groups')).toHaveLength(2);
		expect(run.nodes['Apply to All Groups']).toBeUndefined();
		const [report] = receiver.take();
		expect(report).toMatchObject({
			ok: true,
			outcome: 'degraded',
			retention: [{ status: 'blocked' }, { status: 'planned' }],
		});
		expect(report!.subject).toMatch(/^Retention BLOCKED: postgres\/crm; Retention plan: would remove 2 backups /);
		expect(report!.text).toMatch(new RegExp(`expired ${old[0]}: \\w+`));
		expect(report!.text).toMatch(/kept: 3 × within/);
		expect(backupFiles()).toEqual(before);
	},
	TEST_MS,
);

it(
	'removes on schedule what expired, leaves a blocked group alone, and remembers since when it is blocked',
	async () => {
		const id = await importRetention({ fieldsOf: { 'Every Day': OFTEN } });
		const runs = await runOnSchedule(n8n, id, 2);
		for (const run of runs) assertSuccess(run);
		const [first, second] = receiver.take();
		expect(first!.subject).toMatch(/^Retention BLOCKED: postgres\/crm; Retention: removed 2 backups /);
		expect(first).toMatchObject({
			...{ ok: true, outcome: 'degraded' },
			retention: [
				{ ...BLOCKED, status: 'blocked', removed: [] },
				{ group: 'postgres/shop', status: 'applied', removed: old, kept: 3 },
			],
		});
		expect(first!.text).toMatch(
			/retention BLOCKED postgres\/crm.*\n.*\n {2}nothing is removed: the newest backup, .* is not verified/,
		);
		expect((await repository.list('postgres/shop')).map(({ label }) => label)).toHaveLength(3);
		expect(await repository.list('postgres/crm')).toHaveLength(5);
		const since = (report: typeof first) => (report!.blocked as Array<{ since: string }>)[0]!.since;
		expect(since(second)).toBe(since(first));
		expect(second!.subject).toContain('removed 0 backups');
	},
	TEST_MS,
);

it(
	'raises the alarm for a group that is blocked for too long, and keeps priority groups by their own policy',
	async () => {
		const id = await importRetention({
			settings: { applyByHand: true, blockedAlarmDays: 0, priorityGroups: '*/shop', priorityPolicy: 'critical' },
		});
		const run = await n8n.client.press(id);
		expect([run.status, run.error?.message]).toEqual([
			'error',
			expect.stringMatching(/^Retention BLOCKED: postgres\/crm/),
		]);
		expect(receiver.take()).toMatchObject([
			{
				ok: false,
				retention: [{ group: 'postgres/crm' }, { group: 'postgres/shop', policy: 'critical', removed: [] }],
			},
		]);
	},
	TEST_MS,
);

it(
	'raises the alarm when the storage is not there',
	async () => {
		const id = await importRetention();
		fs.rmSync(folder, { recursive: true });
		const run = await n8n.client.press(id);
		expect(run.error?.message).toMatch(/^Retention FAILED: all groups\n.*does not exist/);
		expect(receiver.take()).toMatchObject([{ ok: false, outcome: 'failed' }]);
	},
	TEST_MS,
);

it('runs in an n8n that sets what n8n 3 needs, so that n8n does not warn of it', () => {
	const log = n8n.server.log();
	expect(log).toMatch(/deprecations? related to your n8n setup/);
	expect(log).not.toContain('N8N_UNVERIFIED_PACKAGES_ENABLED');
});

it(
	'tells every channel that is activated, by e-mail with the long form as a file, and the watchdog last',
	async () => {
		const run = await n8n.client.press(await importRetention(await allChannels(channels.url, '/ping/8f3a')));
		assertSuccess(run);
		const [report] = receiver.take();
		const [mail, ...more] = channels.takeMails();
		expect(more).toEqual([]);
		expect(mail).toMatch(/^From: backup@example\.org$/m);
		expect(mail).toMatch(/^To: admin@example\.org$/m);
		expect(mail!.replace(/\n[ \t]+/g, ' ')).toContain(`Subject: ${report!.subject}`);
		expect(mail).toMatch(/^Content-Type: text\/html/m);
		const [, file = ''] = /filename=backup-report\.txt[^]*?\n\n([A-Za-z0-9+/=\n]+)/.exec(mail!) ?? [];
		expect(Buffer.from(file, 'base64').toString()).toBe(`${report!.subject}\n\n${String(report!.details)}\n`);

		const [chat, ping, ...others] = channels.takeRequests();
		expect(others).toEqual([]);
		expect([chat!.method, chat!.path]).toEqual(['POST', '/bot42:token/sendMessage']);
		expect(JSON.parse(chat!.body)).toMatchObject({
			...{ chat_id: '@backups', parse_mode: 'HTML', text: expect.stringContaining(`<b>${report!.subject}</b>\n`) },
		});
		expect(ping).toEqual({ method: 'GET', path: '/ping/8f3a', body: '' });
	},
	TEST_MS,
);

it(
	'fails the run when a channel could not be told, after all others and the watchdog were',
	async () => {
		const choices = await allChannels('http://127.0.0.1:1', '/api/push/8f3a?status=up&msg=OK&ping=');
		const run = await n8n.client.press(await importRetention(choices));
		expect([run.status, run.error?.message]).toEqual(['error', 'Retention ran, but a report could not be sent']);
		expect(channels.takeMails()).toHaveLength(1);
		expect(receiver.take()).toMatchObject([{ ok: true }]);
		expect(channels.takeRequests()).toMatchObject([
			{ path: expect.stringMatching(/^\/api\/push\/8f3a\?status=up&msg=Retention\+BLOCKED%3A\+postgres/) },
		]);
	},
	TEST_MS,
);

it(
	'tells the watchdog that a run failed',
	async () => {
		const id = await importRetention(await allChannels(channels.url, '/ping/8f3a'));
		fs.rmSync(folder, { recursive: true });
		expect((await n8n.client.press(id)).status).toBe('error');
		expect(channels.takeRequests().at(-1)).toMatchObject({ path: '/ping/8f3a/fail' });
		expect([channels.takeMails().length, receiver.take().length]).toEqual([1, 1]);
	},
	TEST_MS,
);

/** Everything activated but Slack, which has one address for all. */
async function allChannels(chatUrl: string, ping: string): Promise<Partial<Choices>> {
	const { client } = n8n;
	const smtp = {
		host: '127.0.0.1',
		port: channels.smtpPort,
		user: '',
		password: '',
		secure: false,
		disableStartTls: true,
	};
	const telegram = { accessToken: '42:token', baseUrl: chatUrl };
	return {
		activate: ['Mail Report', 'Tell Telegram', 'Ping Watchdog'],
		settings: {
			...{ mailFrom: 'backup@example.org', mailTo: 'admin@example.org', telegramChat: '@backups' },
			pingUrl: channels.url + ping,
		},
		credentials: {
			smtp: await client.createCredential({ name: 'Mail', type: 'smtp', data: smtp }),
			telegramApi: await client.createCredential({ name: 'Chat', type: 'telegramApi', data: telegram }),
		},
	};
}

it('begins where the editor of the installed n8n begins: with the same order of triggers', () => {
	const folder = path.join(n8nFolder(), 'node_modules/n8n-editor-ui/dist/assets');
	const files = fs.readdirSync(folder).filter((file) => /^workflows\.store-.*\.js$/.test(file));
	const text = files.map((file) => fs.readFileSync(path.join(folder, file), 'utf8')).join('\n');
	// Its names are shortened: forms, webhooks, schedules, starts by hand, n8n's own events and errors, then all others.
	const [, ranks = '', others] =
		/let \w+=\{((?:\[[\w$]+\]:\d+,?)+)\};function \w+\(\w+\)\{return[^}]*`Core Nodes`.*?\?(0:8)\)/.exec(text) ?? [];
	expect([...ranks.matchAll(/:(\d+)/g)].map(([, rank]) => Number(rank))).toEqual(Object.values(PRIORITIES));
	expect(others).toBe('0:8');
});

/** n8n's own search ranks what its editor shows: by names, which count more, and by aliases. */
it('shows the node that is meant first to who looks for backups in the editor', () => {
	const { sublimeSearch } = createRequire(__filename)(
		path.join(n8nFolder(), 'node_modules/@n8n/utils/dist/search/sublime-search.cjs'),
	) as { sublimeSearch: (words: string, nodes: object[], keys: object[]) => { item: { displayName: string } }[] };
	const nodes = [
		ApplyRetention,
		ArchiveBucket,
		ArchiveConfig,
		ArchiveFiles,
		BackupReport,
		BackupRequests,
		BackupStatus,
		CopyBackup,
		EncryptionKey,
		PostgresBaseBackup,
		PostgresDump,
		RestoreBackup,
		VerifyBackup,
	].map((Node) => {
		const { displayName } = new Node().description;
		const codex = path.resolve(__dirname, `../../nodes/${Node.name}/${Node.name}.node.json`);
		return { displayName, ...(JSON.parse(fs.readFileSync(codex, 'utf8')) as { alias: string[] }) };
	});
	// The weights of the editor's NodeCreator.
	const keys = [
		{ key: 'displayName', weight: 1.3 },
		{ key: 'alias', weight: 1 },
	];
	const first = (words: string) => sublimeSearch(words, nodes, keys)[0]?.item.displayName;
	for (const words of ['backup', 'Backup', 'postgres backup', 'database backup']) {
		expect(first(words)).toBe('Postgres Dump');
	}
	for (const words of ['file backup', 'files', 'docker volumes', 'website', 'archive']) {
		expect(first(words)).toBe('Archive Files');
	}
	for (const words of ['point in time', 'pitr', 'wal', 'pg_basebackup', 'base backup']) {
		expect(first(words)).toBe('Base Backup of Postgres');
	}
});

/** The template as users import it, with a schedule that does not fire, its reports sent to us. */
async function importRetention({
	settings,
	fieldsOf,
	credentials,
	activate = [],
}: Partial<Choices> = {}): Promise<string> {
	return await importTemplate(n8n, 'retention', {
		credentials: { backupStorageApi: await folderCredential(n8n, folder), ...credentials },
		settings: { ...settings, reportUrl: receiver.url },
		fieldsOf: { 'Every Day': NOT_NOW, ...fieldsOf },
		activate: ['Post Report', ...activate],
	});
}

/** All but the journal and the locks. */
function backupFiles(): string[] {
	return filesBelow(folder).filter((file) => !file.startsWith('runs/') && !file.startsWith('locks/'));
}
