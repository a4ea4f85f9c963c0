/** n8n-backup slot: how the replication slot is by which a server keeps its log, and its end. */
import { Argument } from 'commander';
import { sizeText } from '../../core/base/size-text';
import {
	endSlot,
	findSlot,
	NO_SLOT_LIMIT,
	type Slot,
	slotWarnings,
} from '../../core/sources/postgres/physical/wal/slot';
import { slotName } from '../../core/sources/postgres/physical/wal/slot-name';
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
	const found = await (what === 'drop' ? endSlot : findSlot)(target, name, signal);
	if (options.json) printJson({ ...found, dropped: what === 'drop' });
	else if (what === 'drop') printLine(`dropped the slot ${name}; the server kept ${sizeText(found.heldBytes)} for it`);
	else show(found);
	return EXIT.ok;
}

function show(found: Slot): void {
	const { name, restart, active, heldBytes, safeBytes } = found;
	printLine(
		`${name}: ${restart === null ? 'lost: the server has removed log that it kept' : `from ${restart} on, ${sizeText(heldBytes)}`}`,
	);
	if (active) printLine('somebody reads by it now');
	if (safeBytes !== null) printLine(`lost after ${sizeText(Math.max(safeBytes, 0))} more`);
	if (safeBytes === null && restart !== null) printWarning(NO_SLOT_LIMIT);
	for (const warning of slotWarnings(found)) printWarning(warning);
}
