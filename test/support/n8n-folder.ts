/** The folder of an n8n on SQLite, with credentials that a real n8n has written (written-by-n8n.json). */
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import written from './written-by-n8n.json';

export { written };

/** Makes `.n8n` in a folder, with its settings file and its database. @returns its path */
export function makeN8nFolder(parent: string, encryptionKey = written.encryptionKey): string {
	const folder = path.join(parent, '.n8n');
	fs.mkdirSync(folder);
	fs.writeFileSync(path.join(folder, 'config'), JSON.stringify({ encryptionKey }));
	const database = new DatabaseSync(path.join(folder, 'database.sqlite'), {
		// The other tables are not there.
		enableForeignKeyConstraints: false,
	});
	for (const table of written.sqliteSchema) database.exec(table);
	const key = database.prepare(
		'INSERT INTO deployment_key (id, type, value, algorithm, status) VALUES (?, ?, ?, ?, ?)',
	);
	for (const row of written.keys) key.run(row.id, row.type, row.value, row.algorithm, row.status);
	const credential = database.prepare('INSERT INTO credentials_entity (id, name, data, type) VALUES (?, ?, ?, ?)');
	for (const row of written.credentials) credential.run(row.id, row.name, row.data, row.type);
	database.close();
	return folder;
}
