/** What the node does with a backup right after it was stored: verifies it, and applies a policy to its group. */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';
import { BackupError, isBackupError } from '../../core/base/errors';
import type { DecryptionKeys } from '../../core/codecs/age/age';
import { DEPTHS, type Depth } from '../../core/records/evidence';
import type { Manifest } from '../../core/records/manifest';
import type { Repository } from '../../core/records/repository';
import type { RetentionPolicy } from '../../core/retention/policy';
import { postgresDrill } from '../../core/sources/postgres/drill/drill';
import { dumpOf, formatOf } from '../../core/sources/postgres/kind';
import { applyRetention } from '../../core/verbs/expire/expire';
import { verifyBackup } from '../../core/verbs/verify/verify';
import type { VerifyResult } from '../../core/verbs/verify/types';
import { actorOf } from '../shared/actor';
import { readPolicy } from '../shared/policy';
import { addHints as addRetentionHints, toItem as retentionFacts } from '../shared/retention-items';
import { unknownOption, wholeNumber } from '../shared/values';
import { verificationFacts } from '../shared/verification-items';

const MB = 1_000_000;

export interface Afterwards {
	/** 'deepest': what the key and the size allow. */
	verify: Depth | 'deepest' | 'no';
	/** Of the dump: more is not restored by 'deepest', bytes. */
	maxBytes: number;
	/** As the user chose it, and what it keeps; null keeps everything. */
	keep: { name: string; policy: RetentionPolicy } | null;
}

/** @throws BackupError 'invalid-input' */
export function readAfterwards(context: IExecuteFunctions, itemIndex: number): Afterwards {
	const verify = context.getNodeParameter('verifyAfterwards', itemIndex, 'deepest') as Afterwards['verify'];
	if (!['deepest', 'no', ...DEPTHS].includes(verify)) throw unknownOption('Verify Afterwards', verify);
	const upTo = wholeNumber('Up To (MB)', context.getNodeParameter('verifyUpTo', itemIndex, 100), 1, 500);
	const keep = context.getNodeParameter('keep', itemIndex, 'everything') as string;
	return {
		verify,
		maxBytes: upTo * MB,
		keep: keep === 'everything' ? null : { name: keep, policy: readPolicy('Keep', keep) },
	};
}

interface Stored {
	repository: Repository;
	manifest: Manifest;
	keys: DecryptionKeys | null;
	/** For another run in the group, milliseconds. */
	lockWaitMs: number;
	signal: AbortSignal;
}

/**
 * Verifies a backup and applies the policy to its group, as the nodes Verify Backup and Apply Retention do.
 * @returns facts for the item: `verification` and `retention`, each null where it was not asked for
 * @throws BackupError of a backup that turned out to be bad; 'cancelled'; those of the policy and the storage
 */
export async function doAfterwards(
	context: IExecuteFunctions,
	{ verify, maxBytes, keep }: Afterwards,
	stored: Stored,
): Promise<{ verification: VerifyResult | null; facts: IDataObject; failure: BackupError | null }> {
	const verification = verify === 'no' ? null : await verifyStored(context, { verify, maxBytes }, stored);
	const facts: IDataObject = { verification: verification && verificationFacts(verification), retention: null };
	if (verification?.outcome === 'bad') {
		const { code, message, hint } = verification;
		const failure = new BackupError(code ?? 'damaged', `the backup is bad: ${message}`, { hint: hint ?? undefined });
		return { verification, facts, failure };
	}
	if (keep) {
		facts.retention = await applyPolicy(context, keep, stored);
	}
	return { verification, facts, failure: null };
}

/** A backup that was stored and proved does not fail because older ones could not be removed: the item says so. */
async function applyPolicy(
	context: IExecuteFunctions,
	{ name, policy }: NonNullable<Afterwards['keep']>,
	{ repository, manifest: { group }, lockWaitMs, signal }: Stored,
): Promise<IDataObject> {
	try {
		const result = await applyRetention({ repository, group, policy, lockWaitMs, actor: actorOf(context), signal });
		addRetentionHints(context, result.plan, result);
		return retentionFacts(name, result.plan, result);
	} catch (error) {
		if (signal.aborted || !isBackupError(error)) throw error;
		const { code, message, hint = null } = error;
		const said = `${group}: retention failed: ${message}${hint ? `. ${hint}` : ''}`;
		context.addExecutionHints({ message: said, type: 'warning', location: 'outputPane' });
		return { ok: false, status: 'failed', group, policy: name, code, message, hint };
	}
}

async function verifyStored(
	context: IExecuteFunctions,
	{ verify, maxBytes }: { verify: Depth | 'deepest'; maxBytes: number },
	{ repository, manifest, keys, signal }: Stored,
): Promise<VerifyResult> {
	const { group, label } = manifest;
	const at = async (depth: Depth) =>
		await verifyBackup({
			...{ repository, group, label, depth, keys: depth === 'stored' ? null : keys, actor: actorOf(context), signal },
			drills: depth === 'restored' ? [postgresDrill({ scratch: { kind: 'embedded' } })] : [],
		});
	if (verify !== 'deepest') return await at(verify);
	const depth = deepest(manifest, keys, maxBytes);
	const found = await at(depth);
	if (depth !== 'restored' || found.outcome !== 'environment') return found;
	// An extension that the embedded database lacks, say: what can be proved without it is not left out.
	const less = await at('readable');
	return { ...less, warnings: [...less.warnings, `not restored: ${found.message}`] };
}

/** As deep as the key, the format and the size allow. */
function deepest(manifest: Manifest, keys: DecryptionKeys | null, maxBytes: number): Depth {
	if (manifest.encryption !== null && keys === null) return 'stored';
	const isSmall = dumpOf(manifest).original.bytes <= maxBytes;
	return isSmall && formatOf(manifest) === 'plain' ? 'restored' : 'readable';
}
