import { NodeHelpers, NodeOperationError, Workflow } from 'n8n-workflow';
import type { IDataObject, INode, INodeParameters, INodeTypes } from 'n8n-workflow';
import { BackupReport } from '../../nodes/BackupReport/BackupReport.node';
import { ACTOR, fakeContext, type FakeNode, type NodeBefore } from '../support/fake-node';
import { BACKUP, BROKEN, CRM, CRM_PROVED, failedItem, lost, PROVED } from '../support/report-items';

const node = new BackupReport();
const OURS = 'n8n-nodes-backup';

async function run(parameters: IDataObject = {}, more: Partial<FakeNode> = {}) {
	const defaults = { operation: 'report', source: 'before', tellSuccesses: true, options: {} };
	const { context } = fakeContext({ parameters: { ...defaults, ...parameters }, credentials: {}, ...more });
	const outputs = await node.execute.call(context);
	expect(outputs.map((items) => items.length)).toEqual([1]);
	const item = outputs[0]![0]!;
	return { item, json: item.json };
}

const ran = (name: string, type: string, ...runs: IDataObject[][][]): NodeBefore => ({
	name,
	type: `${OURS}.${type}`,
	runs,
});

it('reports on what all backup nodes before it gave, on both of their outputs and in every round', async () => {
	const before = [
		ran('Dump', 'postgresDump', [[BACKUP], [lost('app')]], [[CRM], []]),
		ran('Verify', 'verifyBackup', [[PROVED]], [[CRM_PROVED]]),
		ran('Never Run', 'restoreBackup'),
	];
	const { json } = await run({}, { before });
	expect(json).toMatchObject({
		...{ outcome: 'failed', subject: 'Backup FAILED: app; stored: 2', notVerified: [] },
		...{ workflow: 'Back up', execution: ACTOR.execution },
	});
});

it('knows by the node what an error is about that says no more than that', async () => {
	const subjectOf = async (type: string, parameters = {}) =>
		(await run({}, { before: [{ ...ran('Node', type, [[], [BROKEN]]), parameters }] })).json.subject;
	expect(await subjectOf('verifyBackup')).toBe('Restore drill could not be done: the drill');
	expect(await subjectOf('restoreBackup')).toBe('Restore of a backup FAILED');
	expect(await subjectOf('copyBackup')).toBe('Copy FAILED: the second storage');
	expect(await subjectOf('applyRetention')).toBe('Retention FAILED: all groups');
	expect(await subjectOf('applyRetention', { operation: 'prune' })).toBe('Leftovers could not be looked for');
	expect(await subjectOf('postgresDump')).toBe('Backup FAILED: run');
	expect(await subjectOf('postgresDump', { operation: 'check' })).toBe('Backup FAILED: run');
});

it('does not ask other nodes, those that are deactivated, and reports', async () => {
	const before = [
		ran('Dump', 'postgresDump', [[BACKUP]]),
		{ ...ran('Copy', 'copyBackup', [[failedItem('x', { destination: 'x' })]]), disabled: true },
		ran('Report', 'backupReport', [[{ subject: 'x' }]]),
		{ name: 'Settings', type: 'n8n-nodes-base.set', runs: [[[{ error: 'hunter2' }]]] },
	];
	expect((await run({}, { before })).json).toMatchObject({ outcome: 'ok', counts: { otherItems: 0 } });
});

it('has as many inputs as its field says, as n8n reads it', () => {
	const nodeTypes = { getByNameAndVersion: () => node } as unknown as INodeTypes;
	const at = (parameters: INodeParameters) => {
		const placed: INode = { id: '1', name: 'x', type: 'x', typeVersion: 1, position: [0, 0], parameters };
		const workflow = new Workflow({ nodes: [placed], connections: {}, active: false, nodeTypes });
		return NodeHelpers.getNodeInputs(workflow, workflow.nodes.x!, node.description);
	};
	expect(at({})).toEqual(['main']);
	expect(at({ numberInputs: 3 })).toEqual(['main', 'main', 'main']);
});

it('does not overlook that n8n could not say what a node gave', async () => {
	const broken = fakeContext({
		...{ parameters: { source: 'before', tellSuccesses: true, options: {} }, credentials: {} },
		before: [{ ...ran('Dump', 'postgresDump'), runs: new Proxy([[[BACKUP]]], { get: thrower }) }],
	});
	await expect(node.execute.call(broken.context)).rejects.toThrow(NodeOperationError);
});

function thrower(target: IDataObject[][][], name: string | symbol): unknown {
	if (name === '0') throw new Error('Run 0 of node "Dump" not found');
	return Reflect.get(target, name) as unknown;
}

it('reports on what comes in, and passes nothing of it on that is not ours', async () => {
	const input = [[BACKUP, PROVED, { key: 'identity', value: 'AGE-SECRET-KEY-1X', token: 'hunter2' }]];
	const { item, json } = await run({ source: 'input' }, { input });
	expect(json).toMatchObject({ outcome: 'ok', subject: 'Backup ok: postgres/shop', counts: { otherItems: 1 } });
	expect(JSON.stringify(item)).not.toMatch(/AGE-SECRET|hunter2/);
});

it('calls it a failure that nothing came in', async () => {
	expect((await run({}, { before: [] })).json).toMatchObject({ ok: false, subject: 'Backup FAILED: no result' });
});

it('takes what comes in on all of its inputs', async () => {
	const input = [[lost('app')], [], [BACKUP, PROVED]];
	const { json } = await run({ source: 'input', numberInputs: 3 }, { input });
	expect(json.subject).toBe('Backup FAILED: app; stored: 1');
});

it('says whether somebody should be told', async () => {
	const told = async (parameters: IDataObject, items: IDataObject[] = [BACKUP, PROVED]) =>
		(await run({ source: 'input', ...parameters }, { input: [items] })).json.tell;
	expect(await told({})).toBe(true);
	expect(await told({ tellSuccesses: false })).toBe(false);
	expect(await told({ tellSuccesses: false }, [BACKUP, lost('app')])).toBe(true);
	expect(await told({ options: { moreToCome: true } })).toBe(false);
});

it('attaches the long form as a file where that is wanted', async () => {
	const input = [[BACKUP, PROVED]];
	expect((await run({ source: 'input' }, { input })).item.binary).toBeUndefined();
	const { details } = (await run({ source: 'input', options: { attach: true } }, { input })).item.binary!;
	expect(details).toMatchObject({ fileName: 'backup-report.txt', mimeType: 'text/plain' });
	expect(Buffer.from(details!.data, 'base64').toString()).toMatch(
		/^Backup ok: postgres\/shop\n\nstored postgres\/shop/,
	);
});

it('names the workflow in the subject, and marks priority databases, where that is wanted', async () => {
	const options = { workflowInSubject: true, priority: 'sh*, crm' };
	const { json } = await run({ source: 'input', options }, { input: [[lost('shop')]] });
	expect(json.subject).toBe('Back up: [PRIORITY] Backup FAILED: shop');
});

it('remembers since when a group is blocked', async () => {
	const item = {
		status: 'blocked',
		group: 'postgres/shop',
		policy: 'critical',
		blocked: [{ message: 'x', hint: 'y' }],
	};
	const memory: IDataObject = { blockedSince: { 'postgres/shop': '2026-01-01T00:00:00.000Z' } };
	const options = { blockedAlarmDays: 3 };
	const { json } = await run({ source: 'input', options }, { input: [[item]], memory });
	expect(json).toMatchObject({ outcome: 'failed', blocked: [{ since: '2026-01-01T00:00:00.000Z' }] });
	expect(json).not.toHaveProperty('blockedSince');
	await run({ source: 'input', options }, { input: [[{ ...item, status: 'applied', blocked: [] }]], memory });
	expect(memory).toEqual({ blockedSince: {} });
});

it('makes a message of a workflow that failed', async () => {
	const input = [[{ execution: { error: { message: 'x' } }, workflow: { name: 'Nightly' } }]];
	const { item, json } = await run({ operation: 'failure' }, { input });
	expect(json).toMatchObject({ subject: 'Workflow FAILED: Nightly', text: 'FAILED Nightly: x', workflow: 'Back up' });
	expect(Buffer.from(item.binary!.details!.data, 'base64').toString()).toContain('FAILED Nightly: x');
	await expect(run({ operation: 'guess' })).rejects.toThrow('invalid value for "Operation": guess');
});

it('refuses what an expression makes of its fields', async () => {
	await expect(run({ source: 'everything' })).rejects.toThrow('invalid value for "Report On": everything');
	await expect(run({ options: { blockedAlarmDays: 1.5 } })).rejects.toThrow(
		'invalid value for "Blocked Alarm After (Days)": 1.5',
	);
});
