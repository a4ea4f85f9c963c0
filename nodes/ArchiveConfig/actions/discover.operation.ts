/** Archive Config: Discover. One item out per file of configuration; nothing is stored. */
import { counted } from '../../../core/base/counted';
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { type ConfigFinding, discover as findConfiguration, nothingFound } from '../../../core/sources/config/discover';
import { cancelSignal, progressLine } from '../../shared/run';
import { readSearch } from '../settings';

/**
 * Lists what is found, and hints at what could not be looked into.
 * @throws BackupError 'source-missing' where nothing is found
 */
export async function discover(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const { exclude } = context.getNodeParameter('discoverOptions', itemIndex, {}) as { exclude?: string };
	const { search, ...settings } = readSearch(context, itemIndex, exclude);
	const skipped: string[] = [];
	const items: INodeExecutionData[] = [];
	const show = progressLine(context);
	const findings = findConfiguration(search, {
		...settings,
		signal: cancelSignal(context),
		skipped: (path, reason) => skipped.push(`${path} ${reason}`),
	});
	for await (const finding of findings) {
		items.push({ json: toItem(finding), pairedItem: { item: itemIndex } });
		show(() => `${counted(items.length, 'file')} found`);
	}
	if (items.length === 0) throw nothingFound(search);
	if (skipped.length > 0) {
		const [first] = skipped;
		const more = skipped.length > 1 ? `, and ${skipped.length - 1} more` : '';
		context.addExecutionHints({ message: `Not looked at: ${first}${more}`, type: 'info', location: 'outputPane' });
	}
	return items;
}

/** Names of secrets, and no values. */
function toItem({ kind, path, size, secrets, certificates, missing, problem }: ConfigFinding) {
	const known = secrets === null ? 'secrets unknown' : counted(secrets.length, 'secret');
	const absent =
		missing.length > 0
			? `, names ${counted(missing.length, 'file')} that ${missing.length === 1 ? 'is' : 'are'} not there`
			: '';
	return {
		summary: `${path}: ${kind}, ${sizeText(size)}, ${known}${absent}`,
		status: 'found',
		...{ kind, path, size, hasSecrets: secrets === null ? null : secrets.length > 0, secrets },
		certificates: certificates.map((each) => ({ ...each })),
		...{ missing, problem: problem ?? null },
	};
}
