/** What a new user does in n8n: make a key and credentials, import the template, choose the credentials, run it. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lib/paths.mjs';

/** @typedef {import('../lib/n8n-client.mjs').N8nClient} N8nClient */
/** @typedef {import('../lib/n8n-client.mjs').Workflow} Workflow */
/** @typedef {import('../lib/n8n-client.mjs').CredentialReference} CredentialReference */
/** @typedef {{ id: string, trigger: string }} ImportedWorkflow */

/** Which nodes get which credentials. The nodes for notifications get none: the template leaves them switched off. @type {Record<string, string[]>} */
const USED_BY = {
	'n8n-nodes-backup.postgresDump': ['postgres', 'backupStorageApi', 'backupEncryptionApi'],
	'n8n-nodes-base.webhook': ['httpHeaderAuth'],
};
const TEMPLATE = path.join(ROOT, 'workflows', 'database-backup.json');

/**
 * Makes a key pair as `age-keygen` does. Only its public half goes to n8n.
 * @param {string} file for the secret half, in age-keygen's format
 */
export async function createKey(file) {
	// Imported late: the demo starts before its dependencies are installed.
	const age = await import('age-encryption');
	const identity = await age.generateX25519Identity();
	const recipient = await age.identityToRecipient(identity);
	fs.writeFileSync(file, `# public key: ${recipient}\n${identity}\n`, { mode: 0o600, flag: 'wx' });
	return { file, recipient };
}

/**
 * @param {N8nClient} client
 * @param {{ shop: import('./database.mjs').Database, storage: string, recipient: string }} facts
 * @returns {Promise<Record<string, CredentialReference>>} by credential type
 */
export async function createCredentials(client, { shop, storage, recipient }) {
	const { host, port, database, user, password } = shop;
	const token = `Bearer ${randomBytes(18).toString('hex')}`;
	const contents = [
		{
			name: 'Shop database',
			type: 'postgres',
			data: { host, port, database, user, password, ssl: 'disable', sshTunnel: false, maxConnections: 5 },
		},
		{ name: 'Backup folder', type: 'backupStorageApi', data: { type: 'folder', path: storage } },
		{ name: 'Backup key', type: 'backupEncryptionApi', data: { method: 'recipients', recipients: recipient } },
		{ name: 'Webhook token', type: 'httpHeaderAuth', data: { name: 'Authorization', value: token } },
	];
	/** @type {Record<string, CredentialReference>} */
	const references = {};
	for (const content of contents) references[content.type] = await client.createCredential(content);
	return references;
}

/**
 * Imports the template as it is, with the credentials chosen.
 * @param {N8nClient} client
 * @param {Record<string, CredentialReference>} credentials
 * @returns {Promise<ImportedWorkflow>}
 */
export async function importTemplate(client, credentials) {
	/** @type {Workflow} */
	const template = JSON.parse(fs.readFileSync(TEMPLATE, 'utf8'));
	const trigger = template.nodes.find(({ type }) => type === 'n8n-nodes-base.manualTrigger');
	if (!trigger) throw new Error(`${TEMPLATE} has no manual trigger`);
	const nodes = template.nodes.map((node) => ({ ...node, credentials: chosen(node.type, credentials) }));
	return { id: await client.createWorkflow({ ...template, nodes }), trigger: trigger.name };
}

/**
 * @param {string} type of a node
 * @param {Record<string, CredentialReference>} credentials
 */
function chosen(type, credentials) {
	return Object.fromEntries(Object.entries(credentials).filter(([name]) => USED_BY[type]?.includes(name)));
}

/**
 * @param {N8nClient} client
 * @param {ImportedWorkflow} workflow
 * @throws Error that says what failed
 */
export async function backUp(client, { id, trigger }) {
	const execution = await client.execute(id, trigger, { timeoutMs: 300_000 });
	const failed = Object.entries(execution.nodes).flatMap(([name, runs]) =>
		runs.filter((run) => run.error).map((run) => `${name}: ${run.error?.message}`),
	);
	if (execution.status !== 'success' || failed.length > 0) {
		const reasons = [execution.error?.message, ...failed].filter(Boolean).join('\n  ');
		throw new Error(`the workflow ended with "${execution.status}":\n  ${reasons}`);
	}
}
