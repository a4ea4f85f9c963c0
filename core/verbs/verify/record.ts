/** What a verification leaves beside the backup. */
import { BackupError, isBackupError } from '../../base/errors';
import { FORMAT } from '../../records/manifest';
import { PROGRAM } from '../../base/program';
import type { Run } from '../run';
import type { VerifyResult } from './types';
import type { SeenManifest } from './manifest';

type Result = Omit<VerifyResult, 'warnings'>;

/**
 * Stores the evidence of a verification that proved something, with figures only: who may read the storage may read it. One
 * that cannot be stored leaves the backup unverified for everybody else, so a good result does not count without it; a bad
 * one does.
 * @param withoutNames the result's message for everybody
 * @throws BackupError 'cancelled'
 */
export async function recordEvidence(
	{ repository, signal, warn }: Pick<Run, 'repository' | 'signal' | 'warn'>,
	result: Result,
	manifest: SeenManifest,
	withoutNames: string,
): Promise<Result> {
	const { group, label, depth, outcome, code, startedAt, finishedAt } = result;
	try {
		const evidence = await repository.writeEvidence(
			{
				format: FORMAT,
				program: PROGRAM,
				group,
				label,
				depth,
				outcome: outcome === 'ok' ? 'ok' : 'failed',
				startedAt,
				finishedAt,
				manifestSha256: manifest.sha256,
				failure: code === null ? null : { code, message: withoutNames },
				facts: figures(result),
			},
			signal,
		);
		return { ...result, evidence };
	} catch (error) {
		if (!isBackupError(error) || signal.aborted) throw error;
		if (outcome === 'ok') return unrecorded(result, error);
		warn(`the evidence could not be stored: ${error.message}`);
		return result;
	}
}

function unrecorded(result: Result, { code, message, hint }: BackupError): Result {
	return {
		...result,
		outcome: 'environment',
		code,
		message: `the evidence could not be stored, though ${result.message}: ${message}`,
		hint: hint ?? 'Verify again when the storage can be written to.',
	};
}

function figures({ seconds, restoreSeconds, comparison, assertions }: Result): Record<string, number> {
	return {
		seconds,
		...(restoreSeconds !== null && { restoreSeconds }),
		...(comparison && { ...comparison.figures, different: comparison.differences.length }),
		...(assertions.length > 0 && {
			assertions: assertions.length,
			assertionsFailed: assertions.filter(({ ok }) => !ok).length,
		}),
		...Object.fromEntries(assertions.flatMap((each) => Object.entries(each.figures ?? {}))),
	};
}
