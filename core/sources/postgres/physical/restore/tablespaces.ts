/** Where the tablespaces of a restored cluster lie. They must never be the folders of the server that was backed up. */
import fs from 'node:fs';
import path from 'node:path';
import { BackupError } from '../../../../base/errors';
import type { Tablespace } from '../base/base-backup';
import { Destination } from './destination';

/** The folders of tablespaces by their numbers. */
export type TablespaceFolders = ReadonlyMap<number, Destination>;

/**
 * Takes a folder for each tablespace.
 * @param given new folders by old ones
 * @throws BackupError 'invalid-input' for one that has none; as {@link Destination.take}; then none is left behind
 */
export function takeTablespaces(
	tablespaces: readonly Tablespace[],
	given: Readonly<Record<string, string>>,
): TablespaceFolders {
	const unknown = Object.keys(given).find((old) => !tablespaces.some(({ location }) => location === old));
	if (unknown !== undefined) {
		throw new BackupError('invalid-input', `the backup has no tablespace in ${unknown}`, {
			hint: `It has: ${tablespaces.map(({ location }) => location).join(', ') || 'none'}.`,
		});
	}
	const missing = tablespaces.find(({ location }) => given[location] === undefined);
	if (missing) {
		throw new BackupError('invalid-input', `the tablespace in ${missing.location} has no folder to be restored to`, {
			hint: 'Name a new or empty folder for each: its old folder may still belong to the server that was backed up.',
			details: { tablespaces: tablespaces.map(({ location }) => location) },
		});
	}
	const taken = new Map<number, Destination>();
	try {
		for (const { oid, location } of tablespaces) taken.set(oid, Destination.take(given[location]!));
	} catch (error) {
		for (const each of taken.values()) each.giveUp();
		throw error;
	}
	return taken;
}

/**
 * Tells the server where they are. It makes the links itself when it starts, from the map, which names the old folders so far.
 * @param folder of the cluster
 */
export function writeTablespaceMap(folder: string, tablespaces: TablespaceFolders): void {
	const file = path.join(folder, 'tablespace_map');
	if (tablespaces.size === 0) {
		fs.rmSync(file, { force: true });
		return;
	}
	// A backslash keeps the sign behind it, as the server reads it.
	const escaped = (text: string) => text.replace(/[\\\n\r]/g, (sign) => `\\${sign}`);
	const lines = [...tablespaces].map(([oid, { folder: to }]) => `${oid} ${escaped(to)}\n`);
	fs.writeFileSync(file, lines.join(''), { mode: 0o600 });
}
