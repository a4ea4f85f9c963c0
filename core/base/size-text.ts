/** Sizes for people. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A number of bytes for people, in decimal units as the makers of disks count: "812 B", "3.4 MB". */
export function sizeText(bytes: number): string {
	let value = bytes;
	let unit = 0;
	// As it will be shown: 999,960 bytes are 1.0 MB, not 1000.0 kB.
	while (Number(value.toFixed(1)) >= 1000 && unit < UNITS.length - 1) {
		value /= 1000;
		unit += 1;
	}
	return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A size on a server, which is an estimate anyway: in whole MB, from 10 GB in GB. */
export function sizeInMegabytes(bytes: number): string {
	return bytes < 10_000_000_000 ? `${Math.ceil(bytes / 1_000_000)} MB` : `${(bytes / 1_000_000_000).toFixed(1)} GB`;
}
