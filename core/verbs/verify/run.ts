/** Around a verification: its time limits, and its outcome in words. */
import { abortError, BackupError, isBackupError } from '../../base/errors';
import type { Depth } from '../../records/evidence';
import { assertDecryptionKeys } from '../../codecs/age/header';
import { assertGroup, parseLabel } from '../../records/label';
import { dataSize, type Manifest } from '../../records/manifest';
import type { DrillResult } from '../../sources/source';
import type { VerifyRequest, VerifyResult } from './types';
import { BadBackup } from './failure';
import type { VerifiedBackup } from './stored';

export interface VerifyOutcome {
	says: Pick<VerifyResult, 'outcome' | 'code' | 'message' | 'hint'>;
	/** The message as it may be read by everybody. */
	withoutNames: string;
}

/**
 * Refuses what cannot be verified like this, before anything is read.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export function assertRequest({ group, label, depth, keys, drills = [] }: VerifyRequest): void {
	assertGroup(group);
	if (!parseLabel(label)) {
		throw new BackupError('invalid-input', `"${label}" is not the label of a backup`, {
			hint: 'Labels look like 20261120T020000Z-full-k3f9; list the backups to see them.',
		});
	}
	if (keys) assertDecryptionKeys(keys);
	if (depth !== 'restored' && drills.length > 0) {
		throw new BackupError('invalid-input', `a drill needs depth "restored", not "${depth}"`, {
			hint: 'Only what was restored can be looked at.',
		});
	}
	if (depth === 'restored' && drills.length === 0) {
		throw new BackupError('invalid-input', `there is no place to restore ${group}/${label} to`, {
			hint: 'Name a scratch server, or choose the embedded database.',
		});
	}
}

/**
 * Runs a verification and says how it ended. Only a proof makes it bad, and only its last step makes it ok.
 * @param cancel of whoever asked: that it was cancelled is an error, that it takes too long a result
 * @throws BackupError 'cancelled', 'not-found', 'incomplete' of the whole backup; errors that are none of ours
 */
export async function outcomeOf(
	{ signal, cancel }: { signal: AbortSignal; cancel: AbortSignal },
	work: () => Promise<VerifyOutcome>,
): Promise<VerifyOutcome> {
	try {
		if (signal.aborted) throw abortError(signal);
		return await work();
	} catch (error) {
		if (cancel.aborted) throw abortError(cancel);
		return outcomeOfError(signal.aborted ? abortError(signal) : error);
	}
}

function outcomeOfError(error: unknown): VerifyOutcome {
	if (error instanceof BadBackup) {
		const { code, message, hint, withoutNames } = error;
		return { says: { outcome: 'bad', code, message, hint }, withoutNames };
	}
	if (!isBackupError(error) || error.details?.noBackup) throw error;
	const { code, message, hint = null } = error;
	return { says: { outcome: 'environment', code, message, hint }, withoutNames: code };
}

/** What was proved. */
export function success(manifest: Manifest, depth: Depth, drilled: DrillResult | null): VerifyOutcome {
	const message = {
		stored: () => `all ${manifest.parts.length} objects are as they were stored`,
		readable: () => `it opens, and all ${dataSize(manifest).originalBytes} bytes are as the source gave them`,
		restored: () => restoredText(drilled!),
	}[depth]();
	return { says: { outcome: 'ok', code: null, message, hint: null }, withoutNames: message };
}

function restoredText({ comparison, assertions, restoreSeconds }: DrillResult): string {
	const said = assertions.flatMap(({ says }) => says ?? []);
	const others = assertions.length - said.length;
	const all = [comparison.says, ...said, ...(others > 0 ? [`${others} assertions hold`] : [])];
	return `restored in ${restoreSeconds.toFixed(1)} s: ${all.join('; ')}`;
}

/** Passes on a second's last progress at most, and every change of phase. */
export function everySecond(onProgress: VerifyRequest['onProgress']): VerifiedBackup['onProgress'] {
	let last = { phase: '', at: 0 };
	return (phase, bytes, totalBytes) => {
		const now = performance.now();
		if (!onProgress || (phase === last.phase && now - last.at < 1000)) return;
		last = { phase, at: now };
		onProgress({ phase, bytes, totalBytes });
	};
}
