/** That a cluster is read in another way than replication: told when it begins, since nobody reads what every run says. */
import type { Manifest } from '../../../../records/manifest';
import type { Transport } from './transport';

/** @param previous the newest backup of the group; null where there is none */
export function transportWarnings({ name, reason, noSlots }: Transport, previous: Manifest | null): string[] {
	if (reason === null || previous?.source.details.transport === name) return [];
	return [`read over plain SQL, because ${reason}`, ...(noSlots === null ? [] : [noSlots])];
}
