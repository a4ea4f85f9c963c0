import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { runForEachItem } from '../shared/run';
import { generate } from './actions/generate.operation';
import { properties } from './properties';

/** Makes the key pair that backups are encrypted with; thin: fields → core → items. */
export class EncryptionKey implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Encryption Key',
		name: 'encryptionKey',
		icon: { light: 'file:../icons/encryptionKey.svg', dark: 'file:../icons/encryptionKey.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle: 'generate key',
		description: 'Generate the key pair that encrypts and opens backups',
		defaults: { name: 'Encryption Key' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: undefined,
		properties,
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await runForEachItem(this, generate, properties);
	}
}
