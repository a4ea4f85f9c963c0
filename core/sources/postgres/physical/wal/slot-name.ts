/** How slots are called. */
import { createHash } from 'node:crypto';

/**
 * The name of the slot for one group of backups in one storage: the same at every run.
 * @param location of the storage, as it is shown to people
 */
export function slotName(location: string, group: string): string {
	return `n8n_backup_${createHash('sha256').update(`${location}\n${group}`).digest('hex').slice(0, 16)}`;
}

/** A slot's name as it may stand in a command, which takes no values beside it: letters, digits and underscores, nothing to quote. */
export function slotLiteral(name: string): string {
	if (!/^[a-z0-9_]{1,63}$/.test(name)) throw new TypeError(`not the name of a slot: ${name}`);
	return name;
}
