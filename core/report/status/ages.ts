/** Spans of time for people. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "40 seconds", "5 minutes", "3 hours", "12 days": the largest unit of which there are two, rounded down. */
export function spanText(milliseconds: number): string {
	const span = Math.max(0, milliseconds);
	if (span >= 2 * DAY) return several(span / DAY, 'day');
	if (span >= 2 * HOUR) return several(span / HOUR, 'hour');
	if (span >= 2 * MINUTE) return several(span / MINUTE, 'minute');
	return several(span / 1000, 'second');
}

function several(count: number, unit: string): string {
	const whole = Math.floor(count);
	return `${whole} ${unit}${whole === 1 ? '' : 's'}`;
}
