/** Schedules of workflows in a real n8n, made to fire while a test waits. */
import type { Execution } from './n8n';
import type { TestN8n } from './n8n';
import { until } from './until';

/** Fields of a Schedule Trigger that never fires. */
export const NOT_NOW = { rule: { interval: [{ field: 'cronExpression', expression: '0 0 0 30 2 *' }] } };

/** Fields of a Schedule Trigger that fires often. */
export function everySeconds(seconds: number): Record<string, unknown> {
	return { rule: { interval: [{ field: 'seconds', secondsInterval: seconds }] } };
}

/**
 * Publishes a workflow, lets its schedule fire, and unpublishes it again.
 * @param times how many runs to wait for
 * @returns the runs, the first one first
 */
export async function runOnSchedule(n8n: TestN8n, workflowId: string, times = 1): Promise<Execution[]> {
	await n8n.client.publishWorkflow(workflowId);
	const begun = async () => (await n8n.client.executions(workflowId)).filter(({ mode }) => mode === 'trigger');
	await until(`the schedule has fired ${times} times`, async () => (await begun()).length >= times);
	await n8n.client.unpublishWorkflow(workflowId);
	const runs: Execution[] = [];
	for (const { id } of (await begun()).reverse()) runs.push(await n8n.client.ended(id, { timeoutMs: 300_000 }));
	return runs;
}
