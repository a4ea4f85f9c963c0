/** The rules for workflow templates: each is broken once, in a template that otherwise keeps them all. */
import fs from 'node:fs';
import path from 'node:path';
import { preselectedTrigger } from '../../gulp/preselected-trigger.js';
import { checkTemplate } from '../../gulp/templates.js';
import { ApplyRetention } from '../../nodes/ApplyRetention/ApplyRetention.node';
import { ArchiveBucket } from '../../nodes/ArchiveBucket/ArchiveBucket.node';
import { ArchiveConfig } from '../../nodes/ArchiveConfig/ArchiveConfig.node';
import { ArchiveFiles } from '../../nodes/ArchiveFiles/ArchiveFiles.node';
import { BackupRequests } from '../../nodes/BackupRequests/BackupRequests.node';
import { BackupStatus } from '../../nodes/BackupStatus/BackupStatus.node';
import { BackupReport } from '../../nodes/BackupReport/BackupReport.node';
import { EncryptionKey } from '../../nodes/EncryptionKey/EncryptionKey.node';
import { CopyBackup } from '../../nodes/CopyBackup/CopyBackup.node';
import { PostgresBaseBackup } from '../../nodes/PostgresBaseBackup/PostgresBaseBackup.node';
import { PostgresDump } from '../../nodes/PostgresDump/PostgresDump.node';
import { RestoreBackup } from '../../nodes/RestoreBackup/RestoreBackup.node';
import { VerifyBackup } from '../../nodes/VerifyBackup/VerifyBackup.node';
import { overlapping, placesOf } from '../support/canvas';

const WORKFLOWS = path.join(__dirname, '../../workflows');

interface Node {
	name: string;
	type: string;
	typeVersion: number;
	position: [number, number];
	parameters: Record<string, unknown>;
	credentials?: unknown;
	disabled?: boolean;
	id?: string;
	webhookId?: string;
}

const OURS = [
	{ type: 'n8n-nodes-backup.postgresDump', versions: [1], name: 'Postgres Dump', parameters: ['operation', 'options'] },
];

const OVERVIEW = `## Nightly backup\n### How it works\n${'word '.repeat(60)}\n### Setup\n${'word '.repeat(60)}`;

function node(name: string, type: string, typeVersion: number, parameters: Node['parameters'] = {}): Node {
	return {
		name,
		type: type.includes('.') ? type : `n8n-nodes-base.${type}`,
		typeVersion,
		position: [0, 0],
		parameters,
	};
}

function goodTemplate() {
	const to = (name: string) => ({ main: [[{ node: name, type: 'main', index: 0 }]] });
	return {
		name: 'Back up PostgreSQL databases to an encrypted folder',
		nodes: [
			{
				...node('Overview', 'stickyNote', 1, { color: 1, content: OVERVIEW }),
				position: [-500, -300] as [number, number],
			},
			node('Section', 'stickyNote', 1, { color: 7, content: 'See https://www.postgresql.org for more.' }),
			node('Every Night', 'scheduleTrigger', 1.4),
			{
				...node('Called from Outside', 'webhook', 2.1, { authentication: 'headerAuth' }),
				...{ webhookId: 'outside', disabled: true },
			},
			node('Settings', 'set', 3.5, { alertUrl: '', sender: 'backup@example.org' }),
			node('Dump', 'n8n-nodes-backup.postgresDump', 1, { operation: '={{ $("Settings").item.json.operation }}' }),
		],
		connections: {
			'Every Night': to('Settings'),
			'Called from Outside': to('Settings'),
			Settings: to('Dump'),
		} as Record<string, unknown>,
		settings: { executionOrder: 'v1' } as Record<string, unknown>,
	};
}

type Template = ReturnType<typeof goodTemplate> & Record<string, unknown>;

/** What the rules say about the good template after a change. */
function problemsAfter(change: (template: Template, find: (name: string) => Node) => void): string[] {
	const template: Template = goodTemplate();
	change(template, (name) => {
		const found = template.nodes.find((each) => each.name === name);
		if (!found) throw new Error(`no node ${name}`);
		return found;
	});
	return checkTemplate(template, OURS);
}

describe('of the templates of this package', () => {
	const ourNodes = [
		ApplyRetention,
		ArchiveBucket,
		ArchiveConfig,
		ArchiveFiles,
		BackupReport,
		BackupRequests,
		BackupStatus,
		EncryptionKey,
		CopyBackup,
		PostgresBaseBackup,
		PostgresDump,
		RestoreBackup,
		VerifyBackup,
	].map((Class) => {
		const { name, version, defaults, properties } = new Class().description;
		return {
			type: `n8n-nodes-backup.${name}`,
			versions: [version].flat(),
			name: String(defaults.name),
			parameters: properties.map((property) => property.name),
		};
	});
	it.each(fs.readdirSync(WORKFLOWS).filter((file) => file.endsWith('.json')))('%s keeps all rules', (file) => {
		expect(checkTemplate(read(file), ourNodes)).toEqual([]);
	});

	it.each(fs.readdirSync(WORKFLOWS).filter((file) => file.endsWith('.json')))(
		'%s has no node on top of another, and no note on top of another',
		(file) => {
			const { nodes, notes } = placesOf(read(file));
			expect(nodes.length * notes.length).toBeGreaterThan(0);
			expect([overlapping(nodes), overlapping(notes)]).toEqual([[], []]);
		},
	);

	/** What a press of "Execute workflow" does with each, test/e2e tells. */
	it.each([
		['backup-api.json', 'Look Now'],
		['backup-dashboard.json', 'Look Now'],
		['backup-errors.json', 'When a Workflow Fails'],
		['backup-monitoring.json', 'Every 15 Minutes'],
		['bucket-backup.json', 'Every Night'],
		['config-backup.json', 'Every Night'],
		['customer-data-backup.json', 'Every Night'],
		['database-backup.json', 'Every Night'],
		['n8n-self-backup.json', 'Every Night'],
		['new-key.json', 'When Somebody Wants a Key'],
		['point-in-time.json', 'Every Night'],
		['quick-start.json', 'Every Night'],
		['restore-database.json', 'Ask What to Restore'],
		['restore-drill.json', 'Every Week'],
		['retention.json', 'Every Day'],
	])('%s begins at "%s" when somebody presses "Execute workflow"', (file, trigger) => {
		expect(preselectedTrigger(read(file).nodes)?.name).toBe(trigger);
	});

	it('the one that does most has at most 25 nodes, notes aside', () => {
		expect(read('database-backup.json').nodes.filter(({ type }) => !type.endsWith('.stickyNote'))).toHaveLength(25);
	});

	/** A form that somebody fills in, and a failure, are not expected at any time, so nothing watches for them. */
	it.each([
		['backup-errors.json', false],
		['backup-monitoring.json', true],
		['bucket-backup.json', true],
		['config-backup.json', true],
		['customer-data-backup.json', true],
		['database-backup.json', true],
		['n8n-self-backup.json', true],
		['point-in-time.json', true],
		['restore-database.json', false],
		['restore-drill.json', true],
		['retention.json', true],
	])(
		'%s ends in one report, and in channels and a watchdog that are off until somebody chooses them',
		(file, watched) => {
			const { nodes } = read(file);
			const CHANNELS = [
				'Mail Report',
				'Tell Slack',
				'Tell Telegram',
				'Post Report',
				...(watched ? ['Ping Watchdog'] : []),
			];
			expect(nodes.filter(({ type }) => type.endsWith('.backupReport')).map(({ name }) => name)).toEqual([
				'Make Report',
			]);
			const off = nodes.filter(({ disabled }) => disabled).map(({ name }) => name);
			expect(off).toEqual(expect.arrayContaining(CHANNELS));
			const same = (name: string) => read('database-backup.json').nodes.find((each) => each.name === name)!.parameters;
			for (const name of CHANNELS) expect(nodes.find((each) => each.name === name)?.parameters).toEqual(same(name));
		},
	);

	it('no run by hand removes anything', () => {
		const removing = fs.readdirSync(WORKFLOWS).flatMap((file) => (file.endsWith('.json') ? removingNodes(file) : []));
		expect(removing).toEqual([
			['Apply Retention by Policy', expect.stringMatching(/ !== '' && \$execution\.mode === 'production' }}$/)],
			['Remove What Expired', "={{ $execution.mode === 'production' }}"],
			['Apply to All Groups', "={{ $execution.mode === 'production' ? $json.apply : $json.applyByHand }}"],
		]);
		const keeping = fs
			.readdirSync(WORKFLOWS)
			.filter((file) => file.endsWith('.json'))
			.flatMap((file) =>
				read(file).nodes.filter(({ type }) =>
					/\.(archiveBucket|archiveConfig|archiveFiles|postgresBaseBackup|postgresDump)$/.test(type),
				),
			)
			.map(({ parameters }) => parameters.keep ?? 'everything');
		expect(new Set(keeping)).toEqual(
			new Set([
				'everything',
				"={{ $execution.mode === 'production' ? 'thirtyDays' : 'everything' }}",
				"={{ $execution.mode === 'production' ? $('Settings').first().json.retention : 'everything' }}",
			]),
		);
	});
});

it('finds nothing wrong with a template that keeps all rules', () => {
	expect(problemsAfter(() => {})).toEqual([]);
});

describe('a template fails that', () => {
	const cases: Array<[string, Parameters<typeof problemsAfter>[0], string | RegExp]> = [
		['has an id', (t) => (t.id = 'x'), 'remove "id"'],
		['has a version id', (t) => (t.versionId = 'x'), 'remove "versionId"'],
		['names the instance it was made on', (t) => (t.meta = { instanceId: 'x' }), 'remove "meta.instanceId"'],
		['has pinned data', (t) => (t.pinData = { Dump: [] }), 'remove "pinData"'],
		['is active', (t) => (t.active = true), 'a template is not active'],
		['has another execution order', (t) => (t.settings = {}), '"settings.executionOrder" must be "v1"'],
		['has credentials', (_, find) => (find('Dump').credentials = {}), '"Dump": remove "credentials"'],
		['has ids of nodes', (_, find) => (find('Dump').id = 'x'), '"Dump": remove "id"'],
		['has a title without a verb', (t) => (t.name = 'Backups to a folder'), /does not start with a known verb/],
		['has a title without a direction', (t) => (t.name = 'Back up databases'), /does not say "to" or "from"/],
		['has a title in title case', (t) => (t.name = 'Back up Databases to S3'), /not in sentence case: Databases/],
		['has no overview', (t) => t.nodes.shift(), /exactly one yellow sticky note/],
		['has two overviews', (_, find) => (find('Section').parameters.color = 1), /exactly one yellow sticky note/],
		['has a short overview', (_, find) => shorten(find('Overview')), /the overview has 10 words/],
		['has an overview without setup', (_, find) => drop(find('Overview'), '### Setup'), /no line "### Setup"/],
		[
			'has an overview without explanation',
			(_, find) => drop(find('Overview'), '### How it works'),
			/no line "### How/,
		],
		['has nodes above the overview', (_, find) => (find('Dump').position = [0, -999]), /not in the top left corner/],
		['has coloured sections', (_, find) => (find('Section').parameters.color = 3), /white \(color 7\)/],
		['has long sections', (_, find) => (find('Section').parameters.content = 'word '.repeat(50)), /less than 50 words/],
		['runs commands', (_, find) => (find('Settings').type = 'n8n-nodes-base.executeCommand'), /may not use/],
		['needs other packages', (_, find) => (find('Dump').type = 'n8n-nodes-other.dump'), /may not use/],
		['has an old node of n8n', (_, find) => (find('Settings').typeVersion = 3), /set has no version 3, use 3.5/],
		['has a version of ours that is not there', (_, find) => (find('Dump').typeVersion = 2), /no version 2, use 1/],
		['has a field of ours that is not there', (_, find) => (find('Dump').parameters.speed = 1), /no field "speed"/],
		['has a default name', (t) => rename(t, 'Settings', 'Edit Fields1'), /name the node by its purpose/],
		['has a default name of ours', (t) => rename(t, 'Dump', 'Postgres Dump'), /name the node by its purpose/],
		['has two nodes of one name', (t) => rename(t, 'Section', 'Dump'), 'two nodes are named "Dump"'],
		['has an open webhook', (_, find) => (find('Called from Outside').parameters = {}), /set an authentication/],
		['has an address of ids', (_, find) => delete find('Called from Outside').webhookId, /set "webhookId" to a word/],
		[
			'has no settings node, though it is not small',
			(t, find) => {
				find('Settings').type = 'n8n-nodes-base.noOp';
				for (let n = 1; n <= 5; n++) t.nodes.push(node(`More ${n}`, 'noOp', 1));
			},
			/exactly one Edit Fields node/,
		],
		['waits for a request', (_, find) => delete find('Called from Outside').disabled, /would wait for a request here/],
		['has no active trigger', (_, find) => (find('Every Night').disabled = true), /nowhere to begin/],
		['starts a connection nowhere', (t) => (t.connections.Gone = t.connections.Settings), /starts at "Gone"/],
		['ends a connection nowhere', (t) => (t.connections.Dump = JSON.parse(GONE)), /to "Gone", which does not exist/],
		['has a node nothing leads to', (t) => delete t.connections.Settings, /"Dump" is not connected/],
		[
			'refers to no node',
			(_, find) => (find('Dump').parameters.options = '={{ $("Gone").all() }}'),
			/refers to "Gone"/,
		],
		['reads the environment', (_, find) => (find('Dump').parameters.options = '={{ $env.HOST }}'), /uses \$env/],
		[
			'names a channel',
			(_, find) => (find('Settings').parameters.c = { __rl: true, value: 'C01' }),
			/only one account has/,
		],
	];
	it.each(cases)('%s', (_, change, expected) => {
		const problems = problemsAfter(change);
		expect(problems).toContainEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected));
	});
});

describe('a template fails that holds', () => {
	it.each([
		['an address', 'https://hooks.acme.io/x'],
		['an e-mail address', 'admin@acme.io'],
		['an IP address', '10.1.2.3'],
		['the public key of somebody', 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'],
		['an id', '7f0c1f3e-8a53-4b60-9d0e-6f7d0b1c2a3d'],
	])('%s in a setting, but not in a note', (what, text) => {
		expect(problemsAfter((_, find) => (find('Settings').parameters.deep = { list: [text] }))).toContain(
			`"Settings": holds ${what}`,
		);
		expect(problemsAfter((_, find) => (find('Section').parameters.content = text))).toEqual([]);
	});

	it.each([
		['a secret key of age', `AGE-SECRET-KEY-1${'Q'.repeat(58)}`],
		['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----'],
		['an access key of AWS', `AKIA${'A'.repeat(16)}`],
		['a secret of Slack', `xoxb-${'1'.repeat(12)}`],
		['a password in an address', 'postgres://app:hunter2@db.example.org/shop'],
		['a token', `Bearer ${'a'.repeat(40)}`],
	])('%s, even in a note', (what, text) => {
		expect(problemsAfter((_, find) => (find('Section').parameters.content = text))).toEqual([
			`"Section": holds ${what}`,
		]);
	});
});

it('knows which trigger n8n prefers: forms, then requests, other services, schedules, and a start by hand last', () => {
	const nodes = ['errorTrigger', 'manualTrigger', 'scheduleTrigger', 'acme.eventTrigger', 'webhook', 'formTrigger'].map(
		(type) => ({ ...node(type, type, 1), disabled: false }),
	);
	const order: string[] = [];
	for (let chosen = preselectedTrigger(nodes); chosen; chosen = preselectedTrigger(nodes)) {
		order.push(chosen.name);
		chosen.disabled = true;
	}
	expect(order).toEqual([
		...['formTrigger', 'webhook', 'acme.eventTrigger', 'scheduleTrigger', 'manualTrigger', 'errorTrigger'],
	]);
	const twins = ['First', 'Second'].map((name) => node(name, 'scheduleTrigger', 1.4));
	expect(preselectedTrigger(twins)?.name).toBe('First');
});

const GONE = '{"main":[[{"node":"Gone","type":"main","index":0}]]}';

function shorten(sticky: Node): void {
	sticky.parameters.content = `### How it works\n${'word '.repeat(6)}\n### Setup\n`;
}

function drop(sticky: Node, heading: string): void {
	sticky.parameters.content = String(sticky.parameters.content).replace(heading, '');
}

/** Renames a node and the connections that lead to and from it. */
function rename(template: Template, from: string, to: string): void {
	const text = JSON.stringify(template.connections).replaceAll(`"${from}"`, `"${to}"`);
	template.connections = JSON.parse(text);
	for (const each of template.nodes) if (each.name === from) each.name = to;
}

interface StoredTemplate {
	nodes: Node[];
	connections: Record<string, { main: Array<Array<{ node: string }>> }>;
}

function read(file: string): StoredTemplate {
	return JSON.parse(fs.readFileSync(path.join(WORKFLOWS, file), 'utf8')) as StoredTemplate;
}

/** Nodes that apply a policy, each with the condition it stands behind. */
function removingNodes(file: string): Array<[string, unknown]> {
	const { nodes, connections } = read(file);
	return nodes
		.filter(({ parameters }) => parameters.operation === 'apply')
		.map(({ name }) => {
			const before = Object.keys(connections).filter((each) =>
				connections[each]!.main[0]?.some((to) => to.node === name),
			);
			const [condition] = nodes.filter((each) => before.includes(each.name));
			return [name, firstCondition(condition!.parameters)];
		});
}

/** What makes a node of conditions, or the first output of a switch, let items through. */
function firstCondition(parameters: Record<string, unknown>): unknown {
	type Filter = { conditions: Array<{ leftValue: unknown }> };
	const { conditions, rules } = parameters as {
		conditions?: Filter;
		rules?: { values: Array<{ conditions: Filter }> };
	};
	return (conditions ?? rules!.values[0]!.conditions).conditions[0]!.leftValue;
}
