/** Makes a file of configuration safe to show: what is secret in it is replaced, all else stays as it is, to the byte. */
import { certificates } from './certificates.ts';
import { applied, findSecrets } from './find-secrets.ts';
import { configFormatOf } from './kinds.ts';
import { type Edit, UnreadableFile } from './passage.ts';
import { hasCutKey, shapesIn } from './secret-shapes.ts';

export { REMOVED } from './passage.ts';

/** Of one file, bytes. Parsers take a second or two for it; no configuration that people write is larger. */
export const MAX_FILE_BYTES = 512 * 1024;
const MAX_LINE_BYTES = 16_000;
/** Replacing may bring to light what was hidden before, as a quote that was a part of a secret. */
const MAX_ROUNDS = 4;

/** What was replaced, without a word of it. */
export interface Replaced {
	/** The path of keys to it, or what its form was. */
	where: string;
	/** From 1, in the file as it was. */
	line: number;
}

/** A file without its secrets, or why it has to be left out. */
export type Sanitised = { bytes: Buffer; replaced: Replaced[]; leftOut?: undefined } | { leftOut: string };

/**
 * Replaces what is secret in a file. What is no text, does not parse, or is a private key is left out, with the reason.
 * @param file its path decides how it is read
 */
export function sanitise({ path, bytes }: { path: string; bytes: Buffer }): Sanitised {
	if (bytes.length > MAX_FILE_BYTES) return { leftOut: 'is larger than 512 KiB' };
	if (hasLongLine(bytes, path)) return { leftOut: 'has a line of more than 16,000 bytes' };
	if (bytes.includes(0)) {
		return certificates(bytes).length > 0 && !bytes.includes('PRIVATE KEY') && bytes[0] === 0x30
			? { bytes, replaced: [] }
			: { leftOut: 'is no text' };
	}
	const { text, encoding } = decoded(bytes);
	if (hasCutKey(text)) return { leftOut: 'has a private key without an end' };
	if (/^PuTTY-User-Key-File-/m.test(text)) return { leftOut: 'is a private key' };
	try {
		const format = configFormatOf(path);
		const first = findSecrets(text, format);
		let safe = applied(text, first);
		for (let round = 1; ; round++) {
			const edits = findSecrets(safe, format);
			if (edits.length === 0) break;
			if (round === MAX_ROUNDS) return { leftOut: 'cannot be made safe and stay what it is' };
			safe = applied(safe, edits);
		}
		if (isKeyOnly(safe, first)) return { leftOut: 'is a private key' };
		return { bytes: Buffer.from(safe, encoding), replaced: replacedIn(text, first) };
	} catch (error) {
		if (error instanceof UnreadableFile) return { leftOut: error.message };
		throw error;
	}
}

/** The names of the secrets that were found in a file, without their values; null where nobody can say. */
export function secretNames(done: Sanitised): string[] | null {
	if (done.leftOut === 'is a private key') return ['private key'];
	return done.leftOut === undefined ? [...new Set(done.replaced.map(({ where }) => where))] : null;
}

/** Whether a line of a file that is looked at line by line is so long that this would take minutes. */
function hasLongLine(bytes: Buffer, path: string): boolean {
	if (['yaml', 'json', 'toml'].includes(configFormatOf(path)) || bytes.includes(0)) return false;
	for (let at = 0; at < bytes.length; ) {
		const end = bytes.indexOf(10, at);
		if ((end === -1 ? bytes.length : end) - at > MAX_LINE_BYTES) return true;
		if (end === -1) break;
		at = end + 1;
	}
	return false;
}

/** UTF-8 where it is that, else one character per byte: either way, what is not replaced comes back as it was. */
function decoded(bytes: Buffer): { text: string; encoding: 'utf8' | 'latin1' } {
	const text = bytes.toString('utf8');
	return bytes.equals(Buffer.from(text, 'utf8'))
		? { text, encoding: 'utf8' }
		: { text: bytes.toString('latin1'), encoding: 'latin1' };
}

/** Whether there is nothing beside the keys that were replaced. */
function isKeyOnly(safe: string, edits: readonly Edit[]): boolean {
	const keys = edits.some(({ where }) => where === 'private key' || where === 'age identity');
	return keys && safe.replaceAll(/REMOVED-BY-BACKUP|^#.*$|\s/gm, '') === '';
}

function replacedIn(text: string, edits: readonly Edit[]): Replaced[] {
	let [at, line] = [0, 1];
	return edits.map(({ start, where }) => {
		for (let next = text.indexOf('\n', at); next !== -1 && next < start; next = text.indexOf('\n', at)) {
			at = next + 1;
			line++;
		}
		// A name may be a secret itself, as a token that users are listed under.
		return {
			where: applied(
				where,
				shapesIn(where)
					.sort((a, b) => a.start - b.start)
					.slice(0, 1),
			).slice(0, 200),
			line,
		};
	});
}
