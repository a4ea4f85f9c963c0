/** What a user of n8n enters once: where the shop is, where backups go, the key, and who may open the restore form. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';

/** @typedef {import('../lib/n8n-client.mjs').N8nClient} N8nClient */
/** @typedef {import('../lib/n8n-client.mjs').CredentialReference} CredentialReference */
/** @typedef {import('./database.mjs').Database} Database */

/**
 * Makes a key pair as `age-keygen` does.
 * @param {string} file in age-keygen's format
 */
export async function createKey(file) {
	// Imported late: the demo starts before its dependencies are installed.
	const age = await import('age-encryption');
	const identity = await age.generateX25519Identity();
	const recipient = await age.identityToRecipient(identity);
	fs.writeFileSync(file, `# public key: ${recipient}\n${identity}\n`, { mode: 0o600, flag: 'wx' });
	return { file, recipient, identity };
}

/**
 * @param {N8nClient} client
 * @param {object} facts
 * @param {Database} facts.shop
 * @param {string} facts.storage
 * @param {{ recipient: string, identity: string }} facts.key both halves, because n8n verifies and restores
 * @param {{ user: string, password: string }} facts.formLogin
 * @returns {Promise<Record<'shop' | 'storage' | 'key' | 'token' | 'formLogin', CredentialReference>>}
 */
export async function createCredentials(client, { shop, storage, key, formLogin }) {
	const create = (
		/** @type {string} */ name,
		/** @type {string} */ type,
		/** @type {Record<string, unknown>} */ data,
	) => client.createCredential({ name, type, data });
	const { host, port, database, user, password } = shop;
	const login = { host, port, database, user, password };
	const token = `Bearer ${randomBytes(18).toString('hex')}`;
	return {
		shop: await create('Shop database', 'postgres', { ...login, ssl: 'disable', sshTunnel: false, maxConnections: 5 }),
		storage: await create('Backup folder', 'backupStorageApi', { type: 'folder', path: storage }),
		key: await create('Backup key', 'backupEncryptionApi', {
			method: 'recipients',
			recipients: key.recipient,
			identity: key.identity,
		}),
		token: await create('Webhook token', 'httpHeaderAuth', { name: 'Authorization', value: token }),
		formLogin: await create('Form and page', 'httpBasicAuth', formLogin),
	};
}
