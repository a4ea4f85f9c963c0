/** Everything that is to be known of one file of configuration, from one look at its bytes. Runs in a thread of its own. */
import { createHash, createHmac } from 'node:crypto';
import { type CertificateFacts, certificates } from './certificates.ts';
import { linePassages } from './formats/lines.ts';
import { configFormatOf } from './kinds.ts';
import { type Sanitised, sanitise } from './sanitise.ts';

/** A file of configuration. */
export interface ConfigFile {
	/** Decides how it is read. */
	path: string;
	bytes: Buffer;
}

/** What is known of a file. */
export interface Inspected {
	sanitised: Sanitised;
	certificates: CertificateFacts[];
	/** Of an env file: a digest of each value by its key, null where there is none; null of all other files. */
	settings: Record<string, string | null> | null;
}

/** Of one env file. */
const MAX_SETTINGS = 2000;

/**
 * Looks at a file.
 * @param digestKey keys the digests of values, so that nobody can try values out on them; without it, secrets have none
 */
export function inspect(file: ConfigFile, digestKey: string | null): Inspected {
	const sanitised = sanitise(file);
	return {
		sanitised,
		certificates: certificates(file.bytes),
		settings: configFormatOf(file.path) === 'env' && !sanitised.leftOut ? settingsOf(file, sanitised, digestKey) : null,
	};
}

function settingsOf({ bytes }: ConfigFile, sanitised: Sanitised, digestKey: string | null) {
	const secrets = new Set(sanitised.leftOut === undefined ? sanitised.replaced.map(({ where }) => where) : []);
	const settings: Array<[string, string | null]> = [];
	for (const { keys, text } of linePassages(bytes.toString('utf8'), true)) {
		const key = keys.join('.');
		if (key === '' || settings.length === MAX_SETTINGS) continue;
		settings.push([key, digestKey === null && secrets.has(key) ? null : digestOf(`${key}=${text}`, digestKey)]);
	}
	return Object.fromEntries(settings);
}

/** A short digest, for comparison with one that was made with the same key. */
export function digestOf(data: string | Buffer, digestKey: string | null): string {
	const digest = digestKey === null ? createHash('sha256') : createHmac('sha256', digestKey);
	return digest.update(data).digest('hex').slice(0, 32);
}
