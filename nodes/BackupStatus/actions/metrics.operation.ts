/** Backup Status: Metrics. One item with the text that Prometheus reads. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { METRICS_TYPE, metricsOf } from '../../../core/report/status/metrics';
import { readStatus } from '../../shared/status-settings';

export async function metrics(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const text = await metricsOf(await readStatus(context, itemIndex));
	return [{ json: { metrics: text, contentType: METRICS_TYPE }, pairedItem: { item: itemIndex } }];
}
