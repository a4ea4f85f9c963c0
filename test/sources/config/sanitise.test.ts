/** What must go from configuration, and that nothing else does. */
import { REMOVED, sanitise } from '../../../core/sources/config/sanitise';
import { CORPUS } from './corpus';

/** A file with its secrets, as it must look afterwards, and its secrets. */
function planted([path, template]: readonly [string, string], number: number) {
	const secrets: string[] = [];
	const text = template.replace(/⟦([^⟧]*)⟧/g, (_, given: string) => {
		const n = `${number}x${secrets.length}`;
		// Three kinds: words, words with signs, and what a generator draws.
		const plain = [`horse-battery-${n}`, `h0rse.${n}!Staple`, `q7Wz${n}KpLm9Vt2Rb`][secrets.length % 3]!;
		const drawn = `Zq3Vx8Km2Tn7Lw5Rb9Hd${n.replace('x', 'Y')}4Jc6Fg1Ps8`.toUpperCase();
		const secret = given === '' ? plain : given.replace('#', given.startsWith('AKIA') ? drawn : `aB${drawn}`);
		secrets.push(secret);
		return secret;
	});
	return { path, text, safe: template.replace(/⟦[^⟧]*⟧/g, REMOVED), secrets };
}

const FILES = CORPUS.map(planted);

it('plants two hundred secrets, each once', () => {
	const secrets = FILES.flatMap((file) => file.secrets);
	expect(secrets.length).toBeGreaterThanOrEqual(200);
	expect(new Set(secrets).size).toBe(secrets.length);
});

it.each(FILES)('$path loses its secrets and nothing else', ({ path, text, safe, secrets }) => {
	const done = sanitise({ path, bytes: Buffer.from(text) });
	if (done.leftOut !== undefined) throw new Error(done.leftOut);
	const shown = done.bytes.toString();
	expect(shown).toBe(safe);
	expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
	const told = JSON.stringify(done.replaced);
	expect(secrets.filter((secret) => secret.length > 7 && told.includes(secret))).toEqual([]);
});
