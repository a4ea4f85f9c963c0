/** What somebody should look at in the configuration of a server, with names for people and as counts for the manifest. */
import type { RecordedFile } from './version-record';

/** A certificate that has expired, or will soon. */
export interface ExpiringCertificate {
	path: string;
	names: string[];
	/** ISO 8601. */
	notAfter: string;
	/** Negative once it has expired. */
	daysLeft: number;
}

/** Remarks in words. */
export interface Remarks {
	/** Each thing by its name. */
	named: string[];
	/** How many there are of each: the manifest is in the clear. */
	counted: string[];
}

/** Of the files of an archive, and of the certificates among them. */
export function remarksOn(files: readonly RecordedFile[], expiring: readonly ExpiringCertificate[]): Remarks {
	const unread = files.filter(({ why }) => why?.startsWith('cannot be read'));
	const large = files.filter(({ done, why }) => done === 'left out' && why?.includes('512 KiB'));
	const missing = files.flatMap((file) => file.missing.map((each) => `${file.path} names ${each}, which is not there`));
	const expired = expiring.filter(({ daysLeft }) => daysLeft < 0);
	const soon = expiring.filter(({ daysLeft }) => daysLeft >= 0);
	return {
		named: [
			...unread.map(({ path, why }) => `${path} ${why}`),
			...large.map(({ path }) => `${path} left out: larger than 512 KiB, so that secrets in it would not be found`),
			...missing,
			...expired.map((each) => `${certificateOf(each)} expired on ${dayOf(each)}`),
			...soon.map((each) => `${certificateOf(each)} expires in ${several(each.daysLeft, 'day')}, on ${dayOf(each)}`),
		],
		counted: [
			[unread.length, 'could not be read', 'file'] as const,
			[large.length, 'larger than 512 KiB left out, because secrets in them would not be found', 'file'] as const,
			[missing.length, 'named in the configuration and not there', 'file'] as const,
			[expired.length, 'expired', 'certificate'] as const,
			[soon.length, 'about to expire', 'certificate'] as const,
		].flatMap(([count, what, noun]) => (count > 0 ? [`${several(count, noun)} ${what}`] : [])),
	};
}

function certificateOf({ names, path }: ExpiringCertificate): string {
	return `the certificate of ${names.join(', ') || 'nobody'} in ${path}`;
}

function dayOf({ notAfter }: ExpiringCertificate): string {
	return notAfter.slice(0, 10);
}

function several(count: number, noun: string): string {
	return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
