/** n8n-backup slot: how the replication slot is by which a server keeps its log, and its end. */
import type { Client } from 'pg';
import { Argument } from 'commander';
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import { connectForReplication, disconnect } from '../../core/sources/postgres/connection/connection';
import { toBackupError } from '../../core/sources/postgres/connection/errors';
import { dropSlot, readSlot, type Slot, slotName, slotWarnings } from '../../core/sources/postgres/physical/wal/slot';
import { openStorage } from '../../core/storage/create';
import { type AddCommand, parseDatabaseUrl } from '../options';
import { EXIT, printJson, printLine, printWarning } from '../output';

interface SlotOptions {
	storage: string;
	database: string;
	group: string;
	json?: boolean;
}

export const slotCommand: AddCommand = (program, run) => {
	program
		.command('slot')
		.description('show or drop the slot by which a server keeps its log for a group of backups')
		.addArgument(
			new Argument('<what>', 'show it, or drop it: then collecting ends, and no log is kept for it').choices([
				'show',
				'drop',
			]),
		)
		.requiredOption('--storage <url>', 'where the log is collected to')
		.requiredOption('--database <url>', 'any database of the cluster')
		.requiredOption('--group <group>', 'wal/main for base backups in cluster/main')
		.option('--json', 'print the slot')
		.action(async (what: 'show' | 'drop', options: SlotOptions) => {
			await run(async (given: SlotOptions, signal) => await slot(what, given, signal))(options);
		});
};

async function slot(what: 'show' | 'drop', options: SlotOptions, signal: AbortSignal): Promise<number> {
	const storage = openStorage(options.storage, process.env);
	const name = slotName(storage.location, options.group);
	await storage.close();
	const target = await parseDatabaseUrl(options.database, process.env);
	const client = await connectForReplication(target, { signal });
	try {
		const found = await readSlot(client, name);
		if (found === null) {
			throw new BackupError('not-found', `the server has no slot ${name}`, {
				hint: 'Its name is made of the storage and the group: give both as the runs that collect the log do.',
			});
		}
		if (what === 'drop') await drop(client, found);
		if (options.json) printJson({ ...found, dropped: what === 'drop' });
		else if (what === 'drop')
			printLine(`dropped the slot ${name}; the server kept ${sizeText(found.heldBytes)} for it`);
		else show(found);
		return EXIT.ok;
	} catch (error) {
		throw toBackupError(error, target);
	} finally {
		await disconnect(client);
	}
}

async function drop(client: Client, { name, active }: Slot): Promise<void> {
	if (active) {
		throw new BackupError('locked', `somebody is reading the log by the slot ${name}`, {
			hint: 'Stop the run that collects it first.',
		});
	}
	await dropSlot(client, name);
}

function show(found: Slot): void {
	const { name, restart, active, heldBytes, safeBytes } = found;
	printLine(
		`${name}: ${restart === null ? 'lost: the server has removed log that it kept' : `from ${restart} on, ${sizeText(heldBytes)}`}`,
	);
	if (active) printLine('somebody reads by it now');
	if (safeBytes !== null) printLine(`lost after ${sizeText(Math.max(safeBytes, 0))} more`);
	for (const warning of slotWarnings(found)) printWarning(warning);
}
