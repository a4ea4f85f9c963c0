/** How a command ends that a signal stops: with the exit code that shells know, and with what it leaves. */
import type { Command } from 'commander';
import { BackupError, isBackupError } from '../core/base/errors';

/** 128 and the number of the signal. */
export const CANCELLED = { SIGINT: 130, SIGTERM: 143 } as const;
export type StopSignal = keyof typeof CANCELLED;

/** Commands that do several things, one after the other. Of all others, what they leave is in the error, if it is anything. */
const LEAVES: Readonly<Record<string, string>> = {
	copy: 'objects that are there whole stay, and the next copy goes on from them',
	expire: 'what was removed by then stays removed, and the next run finishes what it had begun',
	prune: 'what was removed by then stays removed',
	verify: 'what was verified by then stays verified, and nothing else was left behind',
};

/** The error of a cancelled command for people: what was cancelled, by what, and what is left of it. */
export function cancelledBy(signal: StopSignal, command: Command, error: BackupError): BackupError {
	if (!isBackupError(error, 'cancelled')) return error;
	const { hint } = error;
	const left = hint ? '' : `; ${LEAVES[command.name()] ?? 'nothing was left behind'}`;
	return new BackupError('cancelled', `${describe(command)} was cancelled by ${signal}${left}`, { hint, cause: error });
}

/** "dump of postgres/shop". A database or a storage is not named: their addresses are long, and the caller knows them. */
function describe(command: Command): string {
	const { group = [] } = command.opts<{ group?: string | string[] }>();
	const what = [...command.args, ...[group].flat()];
	return what.length === 0 ? command.name() : `${command.name()} of ${what.join(', ')}`;
}
