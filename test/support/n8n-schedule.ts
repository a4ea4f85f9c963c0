/** Schedules of workflows in a real n8n, made to fire while a test waits. */
import type { Execution, TestN8n } from './n8n';
import { until } from './until';

/** Fields of a Schedule Trigger that does not fire before the next 29th of February. */
export const NOT_NOW = schedule('0 0 0 29 2 *');

/** Fields of a Schedule Trigger that fires in about fifteen seconds, and then every minute. */
export function soon(): Record<string, unknown> {
	return schedule(`${(new Date().getSeconds() + 15) % 60} * * * * *`);
}

/** Fields of a Schedule Trigger that fires every ten seconds. */
export const OFTEN = schedule('*/10 * * * * *');

function schedule(expression: string): Record<string, unknown> {
	return { rule: { interval: [{ field: 'cronExpression', expression }] } };
}

/**
 * Publishes a workflow, lets its schedule fire, and unpublishes it again.
 * @param times how many runs to wait for
 * @returns the runs, the first one first
 */
export async function runOnSchedule(n8n: TestN8n, workflowId: string, times = 1): Promise<Execution[]> {
	// n8n lists what runs and what has ended apart.
	const list = async (status: string): Promise<Array<{ id: string; mode: string }>> => {
		const { data } = (await n8n.client.api('GET', `/executions?workflowId=${workflowId}${status}`)) as {
			data: Array<{ id: string; mode: string }>;
		};
		return data;
	};
	const begun = new Set<string>();
	await n8n.client.publishWorkflow(workflowId);
	await until(`the schedule has fired ${times} times`, async () => {
		for (const { id, mode } of [...(await list('')), ...(await list('&status=running'))]) {
			if (mode === 'trigger') begun.add(id);
		}
		return begun.size >= times;
	});
	await n8n.client.unpublishWorkflow(workflowId);
	const runs: Execution[] = [];
	for (const id of [...begun].sort((a, b) => Number(a) - Number(b))) {
		runs.push(await n8n.client.ended(id, { timeoutMs: 200_000 }));
	}
	return runs;
}
