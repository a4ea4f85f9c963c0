/** Which words look as if a program had drawn them: keys and tokens under names that say nothing. */

const CHARACTERS = /[A-Za-z0-9_+/=-]{20,4096}/g;
const BASE64_CERTIFICATE = /^LS0tLS1CRUdJTiB(?:DRVJU|QVUJM)/;
/** What stands before a digest or a public key, which anybody may know. */
const PUBLIC_BEFORE =
	/(?:sha(?:1|256|384|512)?[:=-]|md5[:=]|ssh-(?:rsa|dss|ed25519) |ecdsa-sha2-[a-z0-9-]+ |@openssh\.com |(?:digest|checksum|commit|revision|rev|fingerprint|etag|public[_-]?key|pubkey)["']?\s{0,3}[:=]?\s{0,3}["']?)$/i;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a word is as mixed as a random one: its cases and digits change every few letters. */
export function looksRandom(word: string): boolean {
	if (word.length < 20 || UUID.test(word) || !/^[A-Za-z0-9_+/=-]+$/.test(word)) return false;
	if (/^[0-9a-f]+$/i.test(word)) return word.length >= 32;
	// Certificates, and recipients of age: anybody may know them.
	if (BASE64_CERTIFICATE.test(word) || /^age1[a-z0-9]{50,}$/.test(word)) return false;
	const segments = word.split(/[^A-Za-z0-9]+/);
	if (segments.some((segment) => segment.length >= 16 && isMixed(segment))) return true;
	return (
		word.length >= 24 &&
		!/^\.{0,2}\//.test(word) &&
		isMixed(segments.join('')) &&
		!/[A-Za-z]{7}/.test(word.replace(/[A-Z][a-z]+/g, (w) => (w.length > 6 ? w : '.')))
	);
}

function isMixed(word: string): boolean {
	const digits = word.replace(/\D/g, '').length;
	if (digits < 2 || digits > word.length * 0.8) return false;
	const runs = word.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g)!.length;
	return word.length / runs <= (/[A-Z]/.test(word) && /[a-z]/.test(word) ? 2.9 : 3.2);
}

/** Where in a text random words stand. */
export function randomWords(text: string): Array<{ start: number; end: number }> {
	return [...text.matchAll(CHARACTERS)].flatMap(({ 0: word, index }) => {
		// The name of an assignment is no part of its value.
		const from = /^(?:-{0,2}[A-Za-z_][\w-]{0,99}=|--?[A-Za-z]?)(?=.)/.exec(word)?.[0].length ?? 0;
		if (!looksRandom(word.slice(from))) return [];
		const before = text.slice(Math.max(0, index + from - 60), index + from);
		return PUBLIC_BEFORE.test(before) ? [] : [{ start: index + from, end: index + word.length }];
	});
}
