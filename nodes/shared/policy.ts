/** Retention policies by name, as fields of nodes offer them. */
import type { INodePropertyOptions } from 'n8n-workflow';
import { BackupError, isBackupError } from '../../core/base/errors';
import { parsePolicy, POLICY_PRESETS, type RetentionPolicy } from '../../core/retention/policy';
import { unknownOption } from './values';

/** As n8n writes and sorts options. */
export const PRESET_OPTIONS: INodePropertyOptions[] = Object.entries(POLICY_PRESETS)
	.map(([value, { name, description }]) => ({
		name: name.replace(/(?<= )\p{Ll}/gu, (letter) => letter.toUpperCase()),
		value,
		description: description.replace(/\.$/, ''),
	}))
	.sort((a, b) => a.name.localeCompare(b.name));

/**
 * The policy of a field that offers presets. Its expression may also give rules as the command line takes them:
 * "hourly=48,daily=30" or "critical,zone=Europe/Vienna".
 * @param field as the user sees it
 * @throws BackupError 'invalid-input'
 */
export function readPolicy(field: string, value: unknown): RetentionPolicy {
	if (typeof value !== 'string' || value.trim() === '') throw unknownOption(field, value);
	try {
		return parsePolicy(value);
	} catch (error) {
		if (!isBackupError(error)) throw error;
		throw new BackupError(error.code, `"${field}": ${error.message}`, { hint: error.hint, cause: error });
	}
}
