/** Moments that users enter. */
import { BackupError } from '../../core/base/errors';

/** Ends with an offset from UTC: "Z", "+02:00", "-0530". */
const OFFSET = /(?:Z|[+-]\d{2}:?\d{2})$/i;

/**
 * The moment of a date field: n8n's text without an offset is local time of the workflow; expressions give any ISO 8601
 * text, or an object of Luxon or JavaScript.
 * @param field as the user sees it
 * @param timeZone IANA name, e.g. "Europe/Vienna"
 * @throws BackupError 'invalid-input'
 */
export function toDate(field: string, value: unknown, timeZone: string): Date {
	const text = String(isDateLike(value) ? value.toJSON() : value).trim();
	const date = OFFSET.test(text) ? new Date(text) : inTimeZone(text.replace(' ', 'T'), timeZone);
	if (!Number.isNaN(date.getTime())) return date;
	throw new BackupError('invalid-input', `"${field}" is not a valid time: ${text || 'empty'}`, {
		hint: 'Write it like 2026-11-20T14:30:00, or with an offset like 2026-11-20T14:30:00+01:00.',
	});
}

function isDateLike(value: unknown): value is { toJSON(): string } {
	return typeof value === 'object' && value !== null && 'toJSON' in value;
}

/** Takes the text as UTC first, then goes back by what the zone is ahead: twice, for nights in which that changes. */
function inTimeZone(text: string, timeZone: string): Date {
	const utc = new Date(`${text.includes('T') ? text : `${text}T00:00:00`}Z`).getTime();
	if (Number.isNaN(utc)) return new Date(NaN);
	const guess = utc - aheadOfUtc(utc, timeZone);
	return new Date(utc - aheadOfUtc(guess, timeZone));
}

/** Milliseconds. */
function aheadOfUtc(time: number, timeZone: string): number {
	const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
	const name = format.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value ?? '';
	const [, sign, hours, minutes] = /GMT([+-])(\d{2}):(\d{2})/.exec(name) ?? [];
	return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}
