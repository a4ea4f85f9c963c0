/** What holds for every report, whatever came in: anybody who can name a database has a say in it. */
import fc from 'fast-check';
import { NodeOperationError } from 'n8n-workflow';
import type { NodeKind } from '../../core/report/items';
import { runReport } from '../../core/report/run-report';
import {
	BACKUP,
	BROKEN,
	CRM,
	CRM_PROVED,
	failed,
	failedItem,
	from,
	type Json,
	lost,
	NAME,
	NOW,
	PROVED,
	reportOn,
} from '../support/report-items';

const RETAINED = {
	status: 'applied',
	group: 'postgres/shop',
	policy: 'critical',
	kept: 1,
	removed: ['a'],
	reasons: [],
};
const RESTORED = { ...NAME, ok: true, database: 'shop', restoredTo: 'shop on x', seconds: 3, countsMatch: true };

it('calls a run failed of which nothing came in', () => {
	for (const items of [[], [{ json: { anything: 1 } }], [{ json: null }]]) {
		expect(reportOn(items)).toMatchObject({
			...{ ok: false, outcome: 'failed', tell: true, subject: 'Backup FAILED: no result' },
			text: expect.stringContaining('no result of a backup node came in'),
		});
	}
});

it('says in words what n8n would put a sentence of its own in the place of', () => {
	const message =
		'backup@db.example.org:5432/shop: connect ECONNREFUSED 10.0.0.7:5432, getaddrinfo ENOTFOUND db.example.org';
	const { text, subject } = reportOn(from('dump', failedItem(message, { database: 'shop' })));
	expect(text).toContain('connection refused: 10.0.0.7:5432, no such host: db.example.org');
	// What n8n does with a message, as in the node "Stop and Error".
	const node = { id: '1', name: 'x', type: 'x', typeVersion: 1, position: [0, 0] as [number, number], parameters: {} };
	expect(new NodeOperationError(node, `${subject}\n${text}`).message).toContain('connection refused: 10.0.0.7');
});

it('says the same whatever the order of the items is', () => {
	const items = [
		...from('dump', BACKUP, CRM, lost('app')),
		...from('verify', PROVED, CRM_PROVED),
		...from('copy', failedItem('no space', { ...NAME, status: 'failed', destination: 'file:///second' })),
		...from('retention', RETAINED, { ...RETAINED, group: 'postgres/crm' }),
	];
	const { subject, counts, outcome } = reportOn(items);
	fc.assert(
		fc.property(fc.shuffledSubarray(items, { minLength: items.length }), (shuffled) => {
			expect(reportOn(shuffled)).toMatchObject({ subject, counts, outcome });
		}),
	);
});

it('joins in one report what was done in one run, the worst first', () => {
	const report = reportOn([
		...from('restore', RESTORED),
		...from('verify', failed('bad', 'bytes differ')),
		...from('retention', RETAINED),
	]);
	expect(report).toMatchObject({ outcome: 'failed', bad: [NAME], restored: [{ database: 'shop' }] });
	expect(report.subject).toBe(
		'Backup BAD: postgres/shop; Restored postgres/shop into shop; Retention: removed 1 backup (0 B)',
	);
});

it('begins its subject with the name of the workflow where that is wanted', () => {
	const items = from('dump', lost('shop'));
	const workflow = 'Nightly\nbackup';
	expect(reportOn(items, { workflow }).subject).toBe('Backup FAILED: shop');
	expect(reportOn(items, { workflow, workflowInSubject: true }).subject).toBe('Nightly backup: Backup FAILED: shop');
});

describe('a text from outside', () => {
	const HOSTILE = `<script>alert("1")</script><!channel> & 'x' <https://evil.example|click>`;
	const everything = [
		...from(
			'dump',
			{ ...BACKUP, group: HOSTILE, database: HOSTILE, location: HOSTILE, warnings: [HOSTILE] },
			failedItem(HOSTILE, { database: HOSTILE }),
			{ findings: [{ ok: false, check: HOSTILE, message: HOSTILE, hint: HOSTILE }] },
		),
		...from('verify', { ...PROVED, scratch: HOSTILE, warnings: [HOSTILE] }, failed('bad', HOSTILE)),
		...from('copy', failedItem(HOSTILE, { ...NAME, destination: HOSTILE })),
		...from('retention', {
			...RETAINED,
			policy: HOSTILE,
			reasons: [{ label: HOSTILE, action: 'expire', reasons: [HOSTILE] }],
		}),
		...from('restore', { ...RESTORED, restoredTo: HOSTILE, differences: [{ item: HOSTILE, expected: HOSTILE }] }),
	];
	const { html, slackBlocks, telegram, teams, discord, mattermost } = reportOn(everything, {
		workflow: HOSTILE,
		workflowInSubject: true,
	});
	const texts = slackBlocks.flatMap(({ text, fields = [], elements = [] }) => [
		...(text ? [text] : []),
		...fields,
		...elements,
	]);

	it('is escaped in HTML', () => {
		expect(html).not.toMatch(/<script|<!channel|<https/);
		expect(html).toContain('&lt;script&gt;');
		expect(html.match(/<\/?(\w+)/g)!.map((tag) => tag.replace(/\W/g, ''))).toEqual(
			expect.not.arrayContaining(['script', 'https', 'img', 'a']),
		);
		expect(telegram.replace(/^<b>[^<>]*<\/b>/, '')).not.toMatch(/[<>]/);
	});

	it('is escaped for Slack, and calls nobody', () => {
		for (const { type, text } of texts) if (type === 'mrkdwn') expect(text).not.toMatch(/[<>]/);
		expect(texts.some(({ text }) => text.includes('&lt;!channel&gt;'))).toBe(true);
	});

	it('is no markup and no mention in other chats', () => {
		const [embed] = discord.embeds;
		const [attachment] = mattermost.attachments;
		for (const shown of [embed!.title, embed!.description, attachment!.title, attachment!.text]) {
			// Every sign that Markdown could read stands behind a backslash.
			expect(shown.replace(/\\[^\w\s]/g, '')).not.toMatch(/[`*_[\]()#<>|~:]/);
			expect(shown).not.toMatch(/@(?!\u200b)/);
		}
		expect(discord.allowed_mentions).toEqual({ parse: [] });
		const { body } = teams.attachments[0]!.content as { body: Array<{ type: string }> };
		// A text block would read Markdown.
		expect(new Set(body.map(({ type }) => type))).toEqual(new Set(['RichTextBlock', 'FactSet']));
	});

	it('stays in its line, and shows no control characters', () => {
		const name = 'shop\nFAILED crm: gone\u001b[31m\u202e';
		const { details } = reportOn(from('dump', { ...BACKUP, group: `postgres/${name}`, warnings: [name] }));
		expect(details).not.toMatch(/^FAILED/m);
		// eslint-disable-next-line no-control-regex
		expect(details).not.toMatch(/[\u001b\u202e]/);
	});
});

describe('secrets', () => {
	const KEY = `AGE-SECRET-KEY-1${'QP'.repeat(29)}`;
	const PEM = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----';

	it('of items of other nodes are not passed on', () => {
		const foreign = { key: 'identity', value: KEY, headers: { authorization: 'Bearer hunter2hunter2' } };
		const report = reportOn([...from('dump', { ...BACKUP, headers: foreign, password: 'hunter2' }), { json: foreign }]);
		expect(report.counts.otherItems).toBe(1);
		expect(JSON.stringify(report)).not.toMatch(/hunter2|AGE-SECRET/);
	});

	it('in the words of other nodes are covered', () => {
		const message = `${KEY} ${PEM} postgres://app:hunter2@db/shop Bearer abcdefgh12345 password=hunter2 "token": "hunter2"`;
		const report = JSON.stringify(reportOn(from('dump', failedItem(message, { database: 'shop' }))));
		expect(report).not.toMatch(/hunter2|QPQP|b3Blbn|abcdefgh/);
		expect(report).toContain('postgres://app:***@db/shop');
	});

	it('are not seen where there are none', () => {
		const message = 'the password of "app" was refused: check the password in the credential, and the token: none';
		expect(reportOn(from('dump', failedItem(message, {}))).text).toContain(message);
	});
});

describe('a channel', () => {
	const long = 'é&<'.repeat(5000);
	const items = Array.from({ length: 200 }, (_, n) => failedItem(long, { database: `${n}${long}` }));
	const report = reportOn(from('dump', ...items), { workflow: long });
	const { subject, text, html, slackBlocks, telegram, noteworthy } = report;

	it('gets what it can show', () => {
		expect(subject.length).toBeLessThan(300);
		expect(text.length).toBeLessThan(3000);
		expect(noteworthy).toHaveLength(11);
		expect(html.length).toBeLessThan(500_000);
		expect(telegram.replace(/&\w+;/g, '&').length).toBeLessThanOrEqual(4096);
		expect(telegram).not.toMatch(/&(?!\w{2,4};)/);
	});

	it('that is Slack gets the figures once, in fields', () => {
		const shown = JSON.stringify(slackBlocks);
		expect(shown).toContain('*Failed*\\n200');
		expect(text).toContain('Failed: 200');
		expect(shown).not.toContain('Failed: 200');
	});

	it('that is Slack gets blocks within its limits', () => {
		expect(slackBlocks.length).toBeLessThanOrEqual(50);
		for (const { type, text, fields, elements } of slackBlocks) {
			if (text) expect(text.text.length).toBeLessThanOrEqual(type === 'header' ? 150 : 3000);
			expect((fields ?? []).length).toBeLessThanOrEqual(10);
			for (const each of [...(fields ?? []), ...(elements ?? [])]) {
				expect([each.text.length > 0, each.text.length <= 2000]).toEqual([true, true]);
				expect(each.text).not.toMatch(/&(?!(?:amp|lt|gt);)/);
			}
		}
	});

	it('that is Discord, Mattermost or Teams gets a message within its limits, with the figures beside the text', () => {
		const [embed] = report.discord.embeds;
		expect(embed!.title.length).toBeLessThanOrEqual(256);
		expect(embed!.description.length).toBeLessThanOrEqual(4096);
		expect(embed!.fields).toContainEqual({ name: 'Failed', value: '200', inline: true });
		const { title, description, fields, footer } = embed!;
		const words = [title, description, footer!.text, ...fields.flatMap(({ name, value }) => [name, value])];
		expect(words.join('').length).toBeLessThanOrEqual(6000);
		const [attachment] = report.mattermost.attachments;
		expect(attachment).toMatchObject({
			color: '#c62828',
			fields: expect.arrayContaining([{ short: true, title: 'Failed', value: '200' }]),
		});
		expect(Buffer.byteLength(JSON.stringify(report.mattermost))).toBeLessThan(16_000);
		expect(Buffer.byteLength(JSON.stringify(report.teams))).toBeLessThan(28_000);
		expect(JSON.stringify(report.teams)).toContain('"color":"Attention"');
	});

	it('that waits for a heartbeat gets one in its own words', () => {
		expect(reportOn(from('dump', lost('a b'))).ping).toEqual({
			...{ healthchecks: '/fail', uptimeKuma: '?status=down&msg=Backup+FAILED%3A+a+b' },
		});
		const degraded = failedItem('full', { ...NAME, destination: 'x' });
		expect(
			reportOn([...from('dump', BACKUP), ...from('verify', PROVED), ...from('copy', degraded)]).ping,
		).toMatchObject({
			healthchecks: '',
			uptimeKuma: expect.stringMatching(/^\?status=up&msg=Backup\+DEGRADED/),
		});
	});
});

it('gives a report whatever the items hold', () => {
	const NAMES = ['error', 'details', 'group', 'label', 'location', 'depth', 'destination', 'policy', 'findings'];
	const MORE = [
		'databases',
		'restoredTo',
		'orphans',
		'reasons',
		'blocked',
		'comparison',
		'warnings',
		'status',
		'seconds',
	];
	const kinds: Array<NodeKind | undefined> = ['dump', 'verify', 'copy', 'retention', 'prune', 'restore', undefined];
	const value = fc.oneof(fc.anything(), fc.constantFrom('ok', 'x', 1, null, [], {}, [{}], [null]), fc.string());
	const json = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...NAMES, ...MORE), value));
	const item = fc.record({ json, from: fc.constantFrom(...kinds) });
	fc.assert(
		fc.property(fc.array(item, { maxLength: 6 }), fc.array(fc.string(), { maxLength: 3 }), (items, priority) => {
			const report = runReport({ items, priority, now: NOW, timeZone: 'UTC' });
			expect(['ok', 'degraded', 'failed']).toContain(report.outcome);
			expect(report.subject).not.toBe('');
			expect(report.subject).not.toMatch(/\n|undefined|\[object/);
			expect(JSON.parse(JSON.stringify(report))).toEqual(report);
		}),
		{ numRuns: 2000 },
	);
});

it('takes 10,000 items in seconds, and keeps its facts to a size that n8n can store', () => {
	const items = Array.from({ length: 2500 }, (_, n): Json[] => {
		const name = { group: `postgres/db${n}` };
		return [
			{ ...BACKUP, ...name, database: `db${n}` },
			{ ...PROVED, ...name },
			{ ...NAME, ...name, status: 'copied', destination: 'file:///second' },
			{ ...RETAINED, ...name },
		];
	}).flat();
	const start = performance.now();
	const report = reportOn(from(undefined, ...items, BROKEN), { priority: ['db1*'] });
	expect(performance.now() - start).toBeLessThan(5000);
	expect(report).toMatchObject({ counts: { stored: 2500, copied: 2500, removed: 2500, failed: 1 } });
	expect(report.stored).toHaveLength(500);
	expect(JSON.stringify(report).length).toBeLessThan(3_000_000);
});
