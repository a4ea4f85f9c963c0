import { generateSigningKey, parseSigningKey } from '../../../core/codecs/sshsig/keys';
import { parseSigners } from '../../../core/records/authority';
import { checkSignatures } from '../../../core/verbs/check/check';

const pair = generateSigningKey();
const key = parseSigningKey(pair.secret);
const signers = parseSigners(pair.publicKey);
const others = parseSigners(generateSigningKey().publicKey);

it.each([
	['no key and nobody trusted', { key: null, signers: null }, { ok: true, message: /^nothing is signed/ }],
	[
		'a key and nobody trusted',
		{ key, signers: null },
		{ ok: true, warning: true, message: /no signature is looked at/ },
	],
	['signers and no key', { key: null, signers }, { ok: true, warning: true, message: /is not signed, and refused/ }],
	[
		'a key that is trusted',
		{ key, signers },
		{ ok: true, message: /none of the trusted signers has signed is refused/ },
	],
	['a key that is not', { key, signers: others }, { ok: false, code: 'unknown-signer', hint: pair.publicKey.trim() }],
])('Check says what %s means', async (_, authority, { message, hint, ...expected }: Record<string, unknown>) => {
	const found = await checkSignatures(authority);
	expect(found).toMatchObject({ check: 'signatures', ...expected });
	if (message) expect(found.message).toMatch(message as RegExp);
	if (hint) expect(found.hint).toContain(hint as string);
	expect(JSON.stringify(found)).not.toContain('PRIVATE');
});
