/** Where the tablespaces of a restored cluster lie. They must never be the folders of the server that was backed up. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../../../base/errors';
import type { Tablespace } from '../base/base-backup';
import { Destination, withoutDestinations } from './destination';

/** The folders of tablespaces by their numbers. */
export type TablespaceFolders = ReadonlyMap<number, Destination>;

/**
 * Takes a folder for each tablespace.
 * @param given new folders by old ones
 * @param cluster the folder of the cluster, absolute
 * @throws BackupError 'invalid-input' for one that has none, or not one of its own; as {@link Destination.take}; then none is left behind
 */
export async function takeTablespaces(
	tablespaces: readonly Tablespace[],
	given: Readonly<Record<string, string>>,
	cluster: string,
): Promise<TablespaceFolders> {
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
		for (const { oid, location } of tablespaces) {
			const destination = await Destination.take(given[location]!);
			const others = [cluster, ...[...taken.values()].map(({ folder }) => folder)];
			taken.set(oid, destination);
			assertApart(destination.folder, others);
		}
	} catch (error) {
		throw await withoutDestinations([...taken.values()], error);
	}
	return taken;
}

/**
 * Tells the server where they are. It makes the links itself when it starts, from the map, which names the old folders so far.
 * @param folder of the cluster
 */
export async function writeTablespaceMap(folder: string, tablespaces: TablespaceFolders): Promise<void> {
	const file = path.join(folder, 'tablespace_map');
	if (tablespaces.size === 0) {
		await fs.rm(file, { force: true });
		return;
	}
	// A backslash keeps the sign behind it, as the server reads it.
	const escaped = (text: string) => text.replace(/[\\\n\r]/g, (sign) => `\\${sign}`);
	const lines = [...tablespaces].map(([oid, { folder: to }]) => `${oid} ${escaped(to)}\n`);
	await fs.writeFile(file, lines.join(''), { mode: 0o600 });
}

/** One within another, or within the cluster, would be taken for a part of it. @throws BackupError 'invalid-input' */
function assertApart(folder: string, others: readonly string[]): void {
	const isWithin = (inner: string, outer: string) => `${inner}/`.startsWith(`${outer}/`);
	const other = others.find((each) => isWithin(folder, each) || isWithin(each, folder));
	if (other === undefined) return;
	throw new BackupError('invalid-input', `${folder} and ${other} are not apart`, {
		hint: 'Give each tablespace a folder of its own, beside that of the cluster.',
	});
}
