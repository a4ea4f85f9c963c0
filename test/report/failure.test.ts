/** Messages of failed workflows: n8n's Error Trigger as it is, and whatever else comes in. */
import fc from 'fast-check';
import { failureReport } from '../../core/report/failure';

const URL = 'https://n8n.example.org/workflow/7/executions/231';
const ITEM = {
	execution: {
		...{ id: '231', url: URL, mode: 'trigger', lastNodeExecuted: 'Settings' },
		error: {
			message: 'cannot reach s3://backups: connection refused',
			description: 'Check the endpoint.',
			...{
				name: 'NodeOperationError',
				stack: 'Error: …',
				node: { name: 'Back Up Databases' },
				context: { password: 'x' },
			},
		},
	},
	workflow: { id: '7', name: 'Nightly backup' },
};

it('says which workflow, which node, what happened, what to do, and where to look', () => {
	const made = failureReport(ITEM, 'Failures');
	expect(made).toMatchObject({
		...{ tell: true, ok: false, outcome: 'failed', subject: 'Workflow FAILED: Nightly backup' },
		...{ failedWorkflow: 'Nightly backup', failedNode: 'Back Up Databases', url: URL },
		text: `FAILED Nightly backup, Back Up Databases: cannot reach s3://backups: connection refused\n  Check the endpoint.\n  ${URL}`,
	});
	expect(made.telegram).toContain('<b>Workflow FAILED: Nightly backup</b>');
	expect(made.html).toContain('Check the endpoint.');
	expect(JSON.stringify(made)).not.toMatch(/stack|password/);
});

it('tells of a trigger that could not begin, and of what says nothing', () => {
	const trigger = { error: { message: 'the webhook is taken' }, mode: 'trigger' };
	expect(failureReport({ trigger, workflow: { name: 'API' } }).text).toBe('FAILED API: the webhook is taken');
	expect(failureReport({ execution: { ...ITEM.execution, error: 'plain' } }).failedNode).toBe('Settings');
	expect(failureReport(null)).toMatchObject({
		subject: 'Workflow FAILED: one without a name',
		text: 'FAILED: n8n does not say what happened',
	});
});

it('shows no secret that is in an error, and is short however long that is', () => {
	const message = `postgres://app:hunter2@db AGE-SECRET-KEY-1QQQ Bearer abcdefghijkl ${'x'.repeat(100_000)}`;
	const made = failureReport({ ...ITEM, execution: { ...ITEM.execution, error: { message, description: message } } });
	expect(JSON.stringify(made)).not.toMatch(/hunter2|1QQQ|abcdefghijkl/);
	expect(made.text.length).toBeLessThan(2500);
	expect(made.telegram.length).toBeLessThan(4096);
});

it('is harmless whatever comes in', () => {
	fc.assert(
		fc.property(fc.anything(), fc.string(), (item, name) => {
			const { text, subject, html } = failureReport({ execution: { error: item }, workflow: { name } });
			expect(subject).not.toMatch(/\n/);
			expect(text.length).toBeLessThan(2500);
			expect(html).not.toMatch(/<script/i);
		}),
	);
});
