/** The credentials that each node of a template needs, as the tables of workflows/README.md tell its users. */
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './paths.mjs';

/** What n8n calls each type where a user chooses one. @type {Record<string, string>} */
export const CREDENTIAL_TYPES = {
	'Backup Encryption API': 'backupEncryptionApi',
	'Backup Storage API': 'backupStorageApi',
	'Backup Storage Second API': 'backupStorageSecondApi',
	'Basic Auth': 'httpBasicAuth',
	'Header Auth': 'httpHeaderAuth',
	Postgres: 'postgres',
	SMTP: 'smtp',
	Slack: 'slackApi',
	Telegram: 'telegramApi',
	'n8n API': 'n8nApi',
};

/**
 * Reads the table of a template: `| nodes | credential | for |`, where `_(deactivated)_` stands behind nodes that a user
 * may leave switched off.
 * @param {string} template file name without ".json"
 * @returns {import('./template-credentials.d.mts').NeededCredential[]}
 * @throws Error when there is no table, or it names a credential that nobody knows
 */
export function credentialsInReadme(template) {
	const text = fs.readFileSync(path.join(ROOT, 'workflows', 'README.md'), 'utf8');
	// Its link stands in a line of its own; other sections may point to it.
	const own = `\n[\`${template}.json\`](${template}.json)\n`;
	const section = text.split(/^## /m).find((each) => each.includes(own)) ?? '';
	if (section.includes('It needs no credentials.')) return [];
	const [, table] = /^\| node +\| credential +\| for +\|\n\|[-| ]+\|\n((?:\|.*\n)+)/m.exec(section) ?? [];
	if (!table) throw new Error(`workflows/README.md has no table of credentials for ${template}`);
	return table
		.trim()
		.split('\n')
		.flatMap((row) => {
			const [, nodes = '', credential = ''] = row.split('|').map((cell) => cell.trim());
			const type = CREDENTIAL_TYPES[credential];
			if (!type) throw new Error(`workflows/README.md, ${template}: nobody knows a credential "${credential}"`);
			const deactivated = nodes.endsWith('_(deactivated)_');
			const names = nodes.replace(/_\(deactivated\)_$/, '').split(',');
			return names.map((name) => ({ node: name.trim(), type, deactivated }));
		});
}
