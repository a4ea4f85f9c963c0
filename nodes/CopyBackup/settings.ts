/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import type { CopyChoice, CopySubject } from '../../core/verbs/copy/copy';
import type { Limits } from '../../core/base/limits';
import type { Protection } from '../../core/storage/storage';
import type { StorageCredential } from '../shared/credentials';
import { type LimitFields, readLimits, readLockWait, readRateLimit } from '../shared/limits';
import { readRetentionLock, type RetentionLockFields } from '../shared/retention-lock';
import { locatorValue, splitList } from '../shared/run';
import { filled, unknownOption } from '../shared/values';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields extends LimitFields {
	allowUnsigned?: boolean;
	lockWait?: number;
	rateLimit?: number;
	retentionLock?: RetentionLockFields;
}

export interface CopySettings {
	allowUnsigned: boolean;
	/** One backup, or what each destination lacks. */
	subject: CopySubject | { missing: CopyChoice };
	destinations: StorageCredential[];
	limits: Limits;
	lockWaitMs: number;
	protect?: Protection;
}

/** @throws BackupError 'invalid-input' */
export function readSettings(context: IExecuteFunctions, itemIndex: number): CopySettings {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	return {
		allowUnsigned: options.allowUnsigned === true,
		subject: readSubject(context, itemIndex),
		destinations: readDestinations(context, itemIndex),
		limits: { ...readLimits(options), bytesPerSecond: readRateLimit(options.rateLimit) },
		lockWaitMs: readLockWait(options.lockWait),
		protect: readRetentionLock(options.retentionLock),
	};
}

function readSubject(context: IExecuteFunctions, itemIndex: number): CopySettings['subject'] {
	const kind = context.getNodeParameter('choose', itemIndex) as 'label' | 'missing' | 'newest';
	if (kind === 'label') {
		return {
			group: filled(
				'Group',
				locatorValue(context, 'group', itemIndex),
				'Or set "Which Backups" to "All That Are Missing".',
			),
			label: filled('Backup', locatorValue(context, 'label', itemIndex)),
		};
	}
	if (kind !== 'missing' && kind !== 'newest') throw unknownOption('Which Backups', kind);
	const groups = splitList(context.getNodeParameter('groups', itemIndex, ''));
	return { missing: { newest: kind === 'newest', ...(groups.length > 0 && { groups }) } };
}

function readDestinations(context: IExecuteFunctions, itemIndex: number): StorageCredential[] {
	const to = context.getNodeParameter('to', itemIndex) as 'both' | 'second';
	switch (to) {
		case 'second':
			return ['backupStorageSecondApi'];
		case 'both':
			return ['backupStorageSecondApi', 'backupStorageThirdApi'];
		default:
			throw unknownOption('Copy To', to);
	}
}
