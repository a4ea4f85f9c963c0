/**
 * Where the configuration of a server lies: in the folder of its cluster, of which a base backup is made, or elsewhere. Debian's and Ubuntu's
 * packages put it into `/etc/postgresql`, and many images have it mounted somewhere.
 */
import fs from 'node:fs/promises';
import type { Client } from 'pg';

/** Without these no server starts as it should; `pg_ident.conf` may be missing. */
const FILES = { config_file: 'postgresql.conf', hba_file: 'pg_hba.conf' } as const;

const BACK_IT_UP = 'back it up as well (Archive Config)';

/** Asks a server where its configuration lies, which not every role may know. @throws what `pg` throws */
export async function configurationState(client: Pick<Client, 'query'>): Promise<string | { warning: string }> {
	const { rows } = await client.query<{ name: string; setting: string | null }>(
		"SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('data_directory', 'config_file', 'hba_file')",
	);
	const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
	const folder = settings.get('data_directory');
	if (!folder) {
		return `this role may not ask where the configuration lies: what is not in the cluster’s folder is in no base backup; ${BACK_IT_UP}`;
	}
	const elsewhere = Object.keys(FILES)
		.map((name) => settings.get(name))
		.filter((file) => typeof file === 'string' && !file.startsWith(`${folder.replace(/\/$/, '')}/`));
	if (elsewhere.length === 0) return 'the configuration lies in the cluster’s folder, and is in base backups';
	return { warning: `no base backup holds ${elsewhere.join(' and ')}: ${BACK_IT_UP}` };
}

/**
 * What a restored cluster lacks of its configuration.
 * @returns a sentence for people; null where nothing is missing
 * @throws errors of the file system
 */
export async function missingConfiguration(folder: string): Promise<string | null> {
	const there = new Set(await fs.readdir(folder));
	const missing = Object.entries(FILES).filter(([, file]) => !there.has(file));
	if (missing.length === 0) return null;
	const files = missing.map(([, file]) => file).join(' and ');
	const settings = missing.map(([setting]) => setting);
	// What it says of the folder is where the old server is.
	if (settings.includes('config_file')) settings.push('data_directory');
	const options = settings.map((setting) => `-c ${setting}=…`).join(' ');
	return `the backup has no ${files}, because the configuration of its server lies elsewhere: ${BACK_IT_UP}; start the restored server with ${options}, or put such files into its folder`;
}
