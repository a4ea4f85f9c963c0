/** The times of an `allowed_signers` file, as ssh-keygen reads them. */

/**
 * The moment that YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS names: in UTC with a Z (or UTC) behind it, else in the time zone
 * of this machine. Local times are **standard time all year round**: in Berlin, 20260701 is 1 o'clock of the clocks on the
 * wall. That is what ssh-keygen does, and both must agree; with a Z there is no such question.
 * (In Dublin, whose law calls summer time the standard, it reads them an hour earlier than this does.)
 * @returns null for anything else, for days that no calendar has, and for times before 1970
 */
export function parseTimestamp(text: string): Date | null {
	const found = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z|UTC)?$/i.exec(text);
	if (!found) return null;
	const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
		.slice(1, 7)
		.map((each) => Number(each ?? 0));
	const utc = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
	// Date carries over what is too much: the 31st of February becomes the 3rd of March.
	const digits = utc.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
	if (!digits.startsWith(found.slice(1, 7).join(''))) return null;
	const moment = found[7] ? utc : new Date(utc.getTime() + standardOffset(year) * 60_000);
	return moment.getTime() > 0 ? moment : null;
}

/** Minutes that standard time is behind UTC: summer time is ahead of it, in the north in July, in the south in January. */
function standardOffset(year: number): number {
	return Math.max(...[0, 6].map((month) => new Date(year, month, 1).getTimezoneOffset()));
}
