/**
 * Whose signatures count: the file `allowed_signers` of ssh-keygen(1), section "ALLOWED SIGNERS", so that the same file
 * serves `ssh-keygen -Y verify`. What that passes over in silence is refused here: a list of which a part does not count
 * is not the list that somebody wrote.
 */
import { BackupError } from '../../base/errors';
import { matchesGlob } from '../../base/glob';
import { namesKeyType, parsePublicKey } from './public-key';
import { parseTimestamp } from './timestamp';

/** One line of the file. */
export interface AllowedSigner {
	/** Who it is: names or patterns, with commas between them; "!" before those that it is not. */
	principals: string;
	/** `ssh-ed25519 AAAA…` */
	publicKey: string;
	/** What it may sign, as patterns like `principals`; anything when null. */
	namespaces: string | null;
	/** The first and the last second of its validity; null: no limit. */
	validAfter: Date | null;
	validBefore: Date | null;
}

export interface SignedFor {
	namespace: string;
	/** When it was signed. A signature holds no time: who has the key of a signer could claim any. */
	at: Date;
	/** Who must have signed; anybody in the list when absent. */
	principal?: string;
}

/** Why a key may not: it is not in the list (for this principal), not for this namespace, or not at this time. */
export type SignerRefusal = 'unknown' | 'wrong-namespace' | 'not-valid-then';

const MAX_TEXT = 1024 * 1024;
const LINE = /^(?:"([^"]+)"|([^\s"]+))[ \t]+(.+)$/;
const OPTION = /([a-z-]+)(?:="((?:\\"|[^"\\]|\\(?!"))*)")?(,|[ \t]+)/iy;
const TIME_HINT = 'Write YYYYMMDDZ or YYYYMMDDHHMMSSZ, for example valid-before="20270223Z".';

/**
 * Reads the text of an `allowed_signers` file: `principals [options] ssh-ed25519 AAAA… [comment]` on each line. Of options
 * it knows `namespaces="…"`, `valid-after="…"` and `valid-before="…"` (see `parseTimestamp`).
 * @throws BackupError 'invalid-input', or 'unsupported' for certificates and keys of other types
 */
export function parseAllowedSigners(text: string): AllowedSigner[] {
	if (text.length > MAX_TEXT)
		throw new BackupError('invalid-input', 'the list of allowed signers is longer than 1 MiB');
	const signers: AllowedSigner[] = [];
	for (const [n, raw] of text.split('\n').entries()) {
		const line = raw.trim();
		if (line !== '' && !line.startsWith('#')) signers.push(parseLine(line, `line ${n + 1}: `));
	}
	if (signers.length === 0) {
		throw new BackupError('invalid-input', 'no signers given', {
			hint: 'Write one on each line, for example: backup ssh-ed25519 AAAA… Lines that start with # do not count.',
		});
	}
	return signers;
}

/**
 * Who it is that has this key, or why the key may not sign this. One line that allows it is enough.
 * @param publicKey as `verifySignature` returns it
 */
export function isAllowed(
	signers: readonly AllowedSigner[],
	publicKey: string,
	{ namespace, at, principal }: SignedFor,
): { signer: AllowedSigner } | { signer: null; reason: SignerRefusal } {
	const key = parsePublicKey(publicKey);
	const known = signers.filter(
		(each) => each.publicKey === key && (principal === undefined || isInList(principal, each.principals)),
	);
	const fit = known.filter(({ namespaces }) => namespaces === null || isInList(namespace, namespaces));
	const signer = fit.find((each) => isValidAt(each, at));
	if (signer) return { signer };
	return {
		signer: null,
		reason: known.length === 0 ? 'unknown' : fit.length === 0 ? 'wrong-namespace' : 'not-valid-then',
	};
}

/** Compared in whole seconds, as ssh-keygen does. An invalid time is never within. */
function isValidAt({ validAfter, validBefore }: AllowedSigner, at: Date): boolean {
	const second = Math.floor(at.getTime() / 1000) * 1000;
	return second >= (validAfter?.getTime() ?? -Infinity) && second <= (validBefore?.getTime() ?? Infinity);
}

/** PATTERNS of ssh_config(5): one that does not begin with "!" must match, and none that does. */
function isInList(name: string, list: string): boolean {
	const patterns = list.split(',');
	return (
		patterns.some((each) => !each.startsWith('!') && matchesGlob(name, each)) &&
		!patterns.some((each) => each.startsWith('!') && matchesGlob(name, each.slice(1)))
	);
}

function parseLine(line: string, where: string): AllowedSigner {
	// A secret key in the wrong field must not be quoted by any message below.
	if (/PRIVATE KEY/.test(line)) parsePublicKey(line, where);
	const [, quoted, plain, rest = ''] = LINE.exec(line) ?? [];
	const principals = quoted ?? plain;
	if (principals === undefined || namesKeyType(principals)) {
		throw new BackupError('invalid-input', `${where}a name and a key are needed`, {
			hint: 'Write who it is before the key, for example: backup ssh-ed25519 AAAA…',
		});
	}
	const { options, key } = splitOptions(rest, where);
	return {
		principals,
		publicKey: parsePublicKey(key, where),
		namespaces: options.get('namespaces') ?? null,
		validAfter: timeOf(options, 'valid-after', where),
		validBefore: timeOf(options, 'valid-before', where),
	};
}

function splitOptions(text: string, where: string): { options: Map<string, string>; key: string } {
	const options = new Map<string, string>();
	if (namesKeyType(text)) return { options, key: text };
	OPTION.lastIndex = 0;
	for (let end = ','; end === ','; ) {
		const [, written, value, next] = OPTION.exec(text) ?? [];
		const name = written?.toLowerCase();
		if (name === undefined || next === undefined) {
			throw new BackupError('invalid-input', `${where}the options before the key cannot be read`, {
				hint: 'Write them with quotes and commas, without spaces, for example: namespaces="file",valid-before="20270223Z".',
			});
		}
		if (name === 'cert-authority') {
			throw new BackupError('unsupported', `${where}certificates of SSH are not supported`, {
				hint: 'List the keys that sign themselves, without cert-authority.',
			});
		}
		if (value === undefined || !['namespaces', 'valid-after', 'valid-before'].includes(name) || options.has(name)) {
			throw new BackupError(
				'invalid-input',
				`${where}an option before the key is unknown, without a value, or given twice`,
				{
					hint: 'Known are namespaces="…", valid-after="…" and valid-before="…", each once.',
				},
			);
		}
		options.set(name, value.replaceAll('\\"', '"'));
		end = next;
	}
	return { options, key: text.slice(OPTION.lastIndex) };
}

function timeOf(options: ReadonlyMap<string, string>, name: string, where: string): Date | null {
	const text = options.get(name);
	if (text === undefined) return null;
	const time = parseTimestamp(text);
	if (!time) throw new BackupError('invalid-input', `${where}${name} is not a time`, { hint: TIME_HINT });
	return time;
}
