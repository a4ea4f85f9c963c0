/** What a verification says as an item. */
import type { IDataObject } from 'n8n-workflow';
import type { VerifyResult } from '../../core/verbs/verify/types';
import { comparisonText, rounded } from './summary';

/** Sizes in bytes, times in seconds; `seconds` is the whole run. */
export function verificationFacts(verified: VerifyResult): IDataObject {
	const { comparison, code, ...result } = verified;
	return {
		summary: `${result.group}: ${verificationVerdict(verified)}`,
		ok: result.outcome === 'ok',
		...result,
		seconds: rounded(result.seconds),
		restoreSeconds: result.restoreSeconds === null ? null : rounded(result.restoreSeconds),
		code,
		comparison: comparison && {
			ok: comparison.ok,
			...comparison.figures,
			differences: comparison.differences.map((difference) => ({ ...difference })),
		},
		assertions: result.assertions.map((assertion) => ({ ...assertion })),
	};
}

/** The verdict as a sentence. */
export function verificationVerdict({ outcome, depth, message, comparison, assertions }: VerifyResult): string {
	if (outcome === 'bad') return `BAD: ${message}`;
	if (outcome === 'environment') return `NOT VERIFIED: ${message}`;
	if (!comparison) return `${depth}: ${message}`;
	return `restored and compared: ${[comparisonText(comparison), ...assertions.flatMap(({ says }) => says ?? [])].join('; ')}`;
}
