/** What a verification leaves beside the backup. */
import { BackupError, isBackupError } from '../../base/errors';
import { FORMAT } from '../../records/manifest';
import { PROGRAM } from '../../base/program';
import type { VerifyRequest, VerifyResult } from './types';
import type { SeenManifest } from './manifest';

/**
 * Stores the evidence of a verification that proved something, with figures only: who may read the storage may read it. One
 * that cannot be stored leaves the backup unverified for everybody else, so a good result does not count without it; a bad
 * one does.
 * @param withoutNames the result's message for everybody
 * @throws BackupError 'cancelled'
 */
export async function record(
	{ repository, signal }: VerifyRequest,
	result: VerifyResult,
	manifest: SeenManifest,
	withoutNames: string,
): Promise<VerifyResult> {
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
		return outcome === 'ok' ? unrecorded(result, error) : warned(result, error);
	}
}

function unrecorded(result: VerifyResult, { code, message, hint }: BackupError): VerifyResult {
	return {
		...result,
		outcome: 'environment',
		code,
		message: `the evidence could not be stored, though ${result.message}: ${message}`,
		hint: hint ?? 'Verify again when the storage can be written to.',
	};
}

function warned(result: VerifyResult, { message }: BackupError): VerifyResult {
	return { ...result, warnings: [...result.warnings, `the evidence could not be stored: ${message}`] };
}

function figures({ seconds, restoreSeconds, comparison, assertions }: VerifyResult): Record<string, number> {
	return {
		seconds,
		...(restoreSeconds !== null && { restoreSeconds }),
		...(comparison && { ...comparison.figures, different: comparison.differences.length }),
		...(assertions.length > 0 && {
			assertions: assertions.length,
			assertionsFailed: assertions.filter(({ ok }) => !ok).length,
		}),
	};
}
