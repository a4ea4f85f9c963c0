/** The workflow templates of this package, as a user imports them: the file as it is, with credentials chosen. */
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './paths.mjs';

/** What each node is asked for. Nodes for notifications get none: the templates leave them switched off. @type {Record<string, string[]>} */
const CREDENTIALS_OF = {
	'n8n-nodes-backup.applyRetention': ['backupStorageApi'],
	'n8n-nodes-backup.copyBackup': ['backupStorageApi', 'backupStorageSecondApi', 'backupStorageThirdApi'],
	'n8n-nodes-backup.postgresDump': ['postgres', 'backupStorageApi', 'backupEncryptionApi'],
	'n8n-nodes-backup.restoreBackup': ['postgres', 'backupStorageApi', 'backupEncryptionApi'],
	'n8n-nodes-backup.verifyBackup': ['postgres', 'backupStorageApi', 'backupEncryptionApi'],
	'n8n-nodes-base.formTrigger': ['httpBasicAuth'],
	'n8n-nodes-base.webhook': ['httpHeaderAuth'],
};

/**
 * @param {import('./n8n-template.d.mts').TemplateName} name
 * @param {import('./n8n-template.d.mts').Choices} choices
 * @returns {import('./n8n-client.d.mts').Workflow}
 */
export function readTemplate(name, { credentials, credentialsOf = {}, settings = {}, fieldsOf = {}, activate = [] }) {
	const text = fs.readFileSync(path.join(ROOT, 'workflows', `${name}.json`), 'utf8');
	/** @type {import('./n8n-client.d.mts').Workflow} */
	const template = JSON.parse(text);
	const unused = new Set(Object.keys(settings));
	const nodes = template.nodes.map((node) => {
		const offered = { ...credentials, ...credentialsOf[node.name] };
		const accepted = CREDENTIALS_OF[node.type] ?? [];
		const chosen = Object.fromEntries(Object.entries(offered).filter(([type]) => accepted.includes(type)));
		const parameters = { ...node.parameters, ...fieldsOf[node.name] };
		if (node.type === 'n8n-nodes-base.set') {
			for (const field of /** @type {any} */ (parameters).assignments.assignments) {
				if (unused.delete(field.name)) field.value = settings[field.name];
			}
		}
		const disabled = node.disabled && !activate.includes(node.name);
		return { ...node, parameters, credentials: chosen, ...(node.disabled ? { disabled } : {}) };
	});
	if (unused.size > 0) throw new Error(`${name} has no setting ${[...unused].join(', ')}`);
	return { ...template, nodes };
}
