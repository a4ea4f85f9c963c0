/** Generate Key: a new key pair, one half per item, for a password manager; with a host key, and a key that signs. */
import type { IExecuteFunctions, INodeExecutionData, IWorkflowSettings } from 'n8n-workflow';
import { BackupError } from '../../../core/base/errors';
import { generateSigningKey } from '../../../core/codecs/sshsig/keys';
import { generateIdentity } from '../../../core/codecs/age/keys';

/** @throws BackupError 'invalid-input' where n8n would save the identity */
export async function generate(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	// Called by another workflow, the key would be in the execution of that one.
	if (context.getMode() === 'integrated') {
		throw new BackupError('invalid-input', 'no key was made, because another workflow called this one', {
			hint: 'Execute the workflow by hand: n8n would save the key with the execution of the one that called it.',
		});
	}
	assertNothingIsSaved(context.getWorkflowSettings());
	const { identity, recipient } = await generateIdentity();
	const signing = generateSigningKey('n8n-backup');
	const host = await generateIdentity();
	const halves = [
		{ key: 'recipient', value: recipient, goesTo: 'Recipients of the Backup Encryption API credential' },
		{
			key: 'identity',
			value: identity,
			goesTo: 'your password manager, and a second safe place: whoever loses it can open no backup',
		},
	];
	halves.push(
		{
			key: 'host key',
			value: host.identity,
			goesTo:
				'Host Key of the Backup Encryption API credential: opens names and counts of the backups, and no data, so that backups of files can be incremental',
		},
		{ key: 'signing key', value: signing.secret, goesTo: 'Signing Key of the Backup Storage API credential' },
		{
			key: 'trusted signer',
			value: signing.publicKey,
			goesTo: 'Trusted Signers of the Backup Storage API credential, and a place outside of the storage',
		},
	);
	return halves.map((json) => ({ json, pairedItem: { item: itemIndex } }));
}

/** Without a choice of the workflow's own, n8n's settings decide, which save everything at first. */
function assertNothingIsSaved(settings: IWorkflowSettings): void {
	const saved = [
		...(settings.saveDataSuccessExecution === 'none' ? [] : ['Save successful production executions']),
		...(settings.saveDataErrorExecution === 'none' ? [] : ['Save failed production executions']),
		...(settings.saveManualExecutions === false ? [] : ['Save manual executions']),
		...(settings.saveExecutionProgress === false ? [] : ['Save execution progress']),
	];
	if (saved.length === 0) return;
	throw new BackupError('invalid-input', 'no key was made, because n8n would save it with the execution', {
		hint: `In this workflow’s settings (⋯ → Settings), choose "Do not save" for ${saved.join(', ')}. The template new-key.json has these settings.`,
	});
}
