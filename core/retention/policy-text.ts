/** Policies as people write them: `critical,zone=Europe/Berlin` or `daily=30,weekly=12,within=7d,tag=audit`. */
import { BackupError } from '../base/errors';
import type { Depth } from '../records/evidence';
import { completePolicy, type RetentionPolicy, type Risk } from './rules';
import { type PresetKey, POLICY_PRESETS } from './presets';

/** How a member is written: a number, hours with a unit, a word, or a word that can be given several times. */
type Kind = 'number' | 'hours' | 'word' | 'words';

/** In the order of the text. */
const KEYS = {
	last: ['last', 'number'],
	hourly: ['hourly', 'number'],
	daily: ['daily', 'number'],
	weekly: ['weekly', 'number'],
	monthly: ['monthly', 'number'],
	yearly: ['yearly', 'number'],
	within: ['withinHours', 'hours'],
	tag: ['tags', 'words'],
	zone: ['timeZone', 'word'],
	minimum: ['minimum', 'number'],
	trust: ['trust', 'word'],
	'expect-every': ['expectEveryHours', 'hours'],
	shrink: ['shrinkPercent', 'number'],
	allow: ['allow', 'words'],
} as const satisfies Record<string, readonly [keyof RetentionPolicy, Kind]>;

const UNITS: Readonly<Record<string, number>> = { h: 1, d: 24, w: 7 * 24 };

/**
 * Reads a policy: rules with commas between them, after the name of a preset or without one. What follows a preset's name
 * takes the place of the preset's own rule. Tags and risks can be given several times, everything else once.
 * @throws BackupError 'invalid-input'
 */
export function parsePolicy(text: string): RetentionPolicy {
	const parts = text.split(',').map((part) => part.trim());
	const preset = presetNamed(parts[0]!);
	const policy: Record<string, unknown> = { ...preset };
	const seen = new Set<string>();
	for (const part of preset ? parts.slice(1) : parts) {
		const at = part.indexOf('=');
		const key = part.slice(0, at);
		const value = part.slice(at + 1);
		if (at < 1 || !isKey(key)) throw unreadable(part);
		const [member, kind] = KEYS[key];
		if (kind === 'words') {
			policy[member] = [...((policy[member] as string[] | undefined) ?? []), value];
			continue;
		}
		if (seen.has(key)) throw refuse(`${key} is there twice`, 'Give each rule once.');
		seen.add(key);
		policy[member] = kind === 'number' ? parseNumber(key, value) : kind === 'hours' ? parseHours(key, value) : value;
	}
	const read = policy as { trust?: Depth; allow?: Risk[] } & RetentionPolicy;
	completePolicy(read);
	return read;
}

/**
 * The text that {@link parsePolicy} reads as the same policy. Numbers of 0 and empty lists are left out.
 * @throws BackupError 'invalid-input' for a policy that cannot be used
 */
export function formatPolicy(policy: RetentionPolicy): string {
	completePolicy(policy);
	const parts: string[] = [];
	for (const [key, [member, kind]] of Object.entries(KEYS)) {
		const value = policy[member];
		if (value === undefined || value === 0) continue;
		if (Array.isArray(value)) parts.push(...value.map((word) => `${key}=${word}`));
		else parts.push(`${key}=${kind === 'hours' ? formatHours(value as number) : value}`);
	}
	return parts.join(',');
}

/** `90` as `90h`, `168` as `7d`. */
export function formatHours(hours: number): string {
	return hours % 24 === 0 ? `${hours / 24}d` : `${hours}h`;
}

function isKey(key: string): key is keyof typeof KEYS {
	return Object.hasOwn(KEYS, key);
}

/** By its key or its name, however it is written: `sevenDays`, `seven-days`, `Seven days`. */
function presetNamed(text: string): RetentionPolicy | null {
	const plain = (name: string) => name.toLowerCase().replace(/[\s_-]/g, '');
	const key = (Object.keys(POLICY_PRESETS) as PresetKey[]).find((each) => plain(each) === plain(text));
	return key ? POLICY_PRESETS[key].policy : null;
}

function parseNumber(key: string, text: string): number {
	if (/^\d{1,9}$/.test(text)) return Number(text);
	throw refuse(`${key} must be a whole number, not "${text.slice(0, 40)}"`, `Write for example ${key}=12.`);
}

function parseHours(key: string, text: string): number {
	const match = /^(\d{1,9})([hdw])$/.exec(text);
	if (match) return Number(match[1]) * UNITS[match[2]!]!;
	throw refuse(
		`${key} must be a number with h, d or w, not "${text.slice(0, 40)}"`,
		`Write for example ${key}=36h, ${key}=7d or ${key}=4w: hours, days or weeks.`,
	);
}

function unreadable(part: string): BackupError {
	return refuse(
		part === '' ? 'a rule is empty' : `"${part.slice(0, 40)}" is neither a rule nor a preset`,
		`Rules are ${Object.keys(KEYS)
			.map((key) => `${key}=…`)
			.join(', ')}; presets are ${Object.keys(POLICY_PRESETS).join(', ')}.`,
	);
}

function refuse(what: string, hint: string): BackupError {
	return new BackupError('invalid-input', `the retention policy cannot be used: ${what}`, { hint });
}
