/** What a node does with a backup right after it was stored: verifies it, and applies a policy to its group. */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';
import { BackupError, isBackupError } from '../../core/base/errors';
import type { DecryptionKeys } from '../../core/codecs/age/age';
import { DEPTHS, type Depth } from '../../core/records/evidence';
import type { Actor } from '../../core/records/journal/actor';
import type { Manifest } from '../../core/records/manifest';
import type { Repository } from '../../core/records/repository';
import type { RetentionPolicy } from '../../core/retention/policy';
import type { Drill } from '../../core/sources/source';
import { applyRetention } from '../../core/verbs/expire/expire';
import { verifyBackup } from '../../core/verbs/verify/verify';
import type { VerifyResult } from '../../core/verbs/verify/types';
import { readPolicy } from './policy';
import { addHints as addRetentionHints, toItem as retentionFacts } from './retention-items';
import { unknownOption, wholeNumber } from './values';
import { verificationFacts } from './verification-items';

const MB = 1_000_000;

export interface Afterwards {
	/** 'deepest': what the key and the size allow. */
	verify: Depth | 'deepest' | 'no';
	/** Of the data: more is not restored by 'deepest', bytes. */
	maxBytes: number;
	/** As the user chose it, and what it keeps; null keeps everything. */
	keep: { name: string; policy: RetentionPolicy } | null;
}

/** How backups of a node's kind are restored as a test. */
export interface TestRestore {
	drill: Drill;
	/** Whether a backup is one that can be restored here, and its data are at most so many bytes. */
	isPossible: (manifest: Manifest, maxBytes: number) => boolean | Promise<boolean>;
}

/**
 * @param largest of the sizes up to which a user may choose to restore, MB
 * @throws BackupError 'invalid-input'
 */
export function readAfterwards(context: IExecuteFunctions, itemIndex: number, largest: number): Afterwards {
	const verify = context.getNodeParameter('verifyAfterwards', itemIndex, 'deepest') as Afterwards['verify'];
	if (!['deepest', 'no', ...DEPTHS].includes(verify)) throw unknownOption('Verify Afterwards', verify);
	const upTo = wholeNumber('Up To (MB)', context.getNodeParameter('verifyUpTo', itemIndex, 100), 1, largest);
	const keep = context.getNodeParameter('keep', itemIndex, 'everything') as string;
	return {
		verify,
		maxBytes: upTo * MB,
		keep: keep === 'everything' ? null : { name: keep, policy: readPolicy('Keep', keep) },
	};
}

/** A backup that was just made, and what there is to prove it with. */
export interface JustStored {
	repository: Repository;
	manifest: Manifest;
	keys: DecryptionKeys | null;
	testRestore: TestRestore;
	/** Groups of which stays what the backups of this one need; they are looked at when its policy was applied. */
	dependents?: readonly string[];
	/** For another run in the group, milliseconds. */
	lockWaitMs: number;
	actor: Actor;
	signal: AbortSignal;
}

/** What came of it. */
export interface AfterwardsResult {
	/** Null where none was asked for. */
	verification: VerifyResult | null;
	/** For the item: `verification` and `retention`, each null where it was not asked for; `retentionOfDependent` where there is such a group. */
	facts: IDataObject;
	/** Why the backup is none; null where it is one. */
	failure: BackupError | null;
}

/**
 * Verifies a backup and applies the policy to its group, as the nodes Verify Backup and Apply Retention do.
 * @throws BackupError of a backup that turned out to be bad; 'cancelled'; those of the policy and the storage
 */
export async function doAfterwards(
	context: IExecuteFunctions,
	{ verify, maxBytes, keep }: Afterwards,
	stored: JustStored,
): Promise<AfterwardsResult> {
	const verification = verify === 'no' ? null : await verifyStored({ verify, maxBytes }, stored);
	const facts: IDataObject = { verification: verification && verificationFacts(verification), retention: null };
	if (verification?.outcome === 'bad') {
		const { code, message, hint } = verification;
		const failure = new BackupError(code ?? 'damaged', `the backup is bad: ${message}`, { hint: hint ?? undefined });
		return { verification, facts, failure };
	}
	if (keep) {
		facts.retention = await applyPolicy(context, keep, stored, stored.manifest.group);
		for (const group of stored.dependents ?? []) {
			if ((await stored.repository.list(group)).length === 0) continue;
			facts.retentionOfDependent = await applyPolicy(context, keep, stored, group);
		}
	}
	return { verification, facts, failure: null };
}

/** A backup that was stored and proved does not fail because older ones could not be removed: the item says so. */
async function applyPolicy(
	context: IExecuteFunctions,
	{ name, policy }: NonNullable<Afterwards['keep']>,
	{ repository, lockWaitMs, actor, signal }: JustStored,
	group: string,
): Promise<IDataObject> {
	try {
		const result = await applyRetention({ repository, group, policy, lockWaitMs, actor, signal });
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
	{ verify, maxBytes }: { verify: Depth | 'deepest'; maxBytes: number },
	{ repository, manifest, keys, testRestore, actor, signal }: JustStored,
): Promise<VerifyResult> {
	const { group, label } = manifest;
	const at = async (depth: Depth) =>
		await verifyBackup({
			...{ repository, group, label, depth, keys: depth === 'stored' ? null : keys, actor, signal },
			drills: depth === 'restored' ? [testRestore.drill] : [],
		});
	if (verify !== 'deepest') return await at(verify);
	const depth = deepest(manifest, keys, await testRestore.isPossible(manifest, maxBytes));
	const found = await at(depth);
	if (depth !== 'restored' || found.outcome !== 'environment') return found;
	// An extension that the embedded database lacks, say: what can be proved without it is not left out.
	const less = await at('readable');
	return { ...less, warnings: [...less.warnings, `not restored: ${found.message}`] };
}

/** As deep as the key allows. @param canRestore whether the format and the size allow to restore it */
function deepest(manifest: Manifest, keys: DecryptionKeys | null, canRestore: boolean): Depth {
	if (manifest.encryption !== null && keys === null) return 'stored';
	return canRestore ? 'restored' : 'readable';
}
