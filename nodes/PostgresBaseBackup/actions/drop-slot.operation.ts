/** Base Backup of Postgres: Drop Slot. One item out per item in. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { endSlot } from '../../../core/sources/postgres/physical/wal/slot';
import { slotName } from '../../../core/sources/postgres/physical/wal/slot-name';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal } from '../../shared/run';
import { readClusterChoice } from '../settings';

/** Ends collecting: the server keeps no log for it any more. */
export async function dropSlot(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const { target, groups } = await readClusterChoice(context, itemIndex);
	// The name of a slot is made of the storage's.
	const storage = await openNodeStorage(context, itemIndex);
	const name = slotName(storage.location, groups.log);
	await storage.close();
	const { restart, heldBytes } = await endSlot(target, name, cancelSignal(context));
	const summary = `${groups.log}: dropped the slot ${name}; the server kept ${sizeText(heldBytes)} for it`;
	const json = { summary, ok: true, status: 'dropped', group: groups.log, slot: name, restart, heldBytes };
	return [{ json, pairedItem: { item: itemIndex } }];
}
