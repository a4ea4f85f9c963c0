import { isBackupError } from '../../../core/base/errors';
import {
	type AllowedSigner,
	isAllowed,
	parseAllowedSigners,
	type SignedFor,
} from '../../../core/codecs/sshsig/allowed-signers';
import { generateSigningKey, parseSigningKey } from '../../../core/codecs/sshsig/keys';
import { sign } from '../../../core/codecs/sshsig/signature';
import { accepts, makeKey, NAMESPACE, thrownBy } from './ssh-keygen';

const pair = generateSigningKey();
const other = generateSigningKey();
const KEY = pair.publicKey;
const signature = sign('text', parseSigningKey(pair.secret), NAMESPACE);
const NOON = new Date('2026-07-01T12:00:00Z');
const asked = (how: Partial<SignedFor> = {}): SignedFor => ({
	namespace: NAMESPACE,
	at: NOON,
	principal: 'backup',
	...how,
});

/** 'allowed', why not, or the code with which the list is refused. */
function verdict(signers: string, how: Partial<SignedFor> = {}): string {
	try {
		const found = isAllowed(parseAllowedSigners(signers), KEY, asked(how));
		return found.signer ? 'allowed' : found.reason;
	} catch (error) {
		if (!isBackupError(error)) throw error;
		return error.code;
	}
}

/** What is said of a list of signers, given that list. */
const CASES: Array<[string, string, Partial<SignedFor>?]> = [
	['allowed', `backup ${KEY}`],
	['allowed', `backup ${KEY} a comment`],
	['allowed', `\t backup\t \t${KEY.replace(' ', '   ')}`],
	['allowed', `# a comment\n\n   # and one\nbackup ${KEY}\n`],
	['allowed', `backup ${other.publicKey}\nbackup ${KEY}`],
	['allowed', `"backup" ${KEY}`],
	['allowed', `"the backup" ${KEY}`, { principal: 'the backup' }],
	['allowed', `a,backup,c ${KEY}`],
	['allowed', `backup, ${KEY}`],
	['allowed', `b?ck* ${KEY}`],
	['allowed', `* ${KEY}`],
	['allowed', `*@example.org ${KEY}`, { principal: 'n8n@example.org' }],
	['unknown', `*@example.org ${KEY}`, { principal: 'n8n@example.org.evil' }],
	['unknown', `*,!backup ${KEY}`],
	['unknown', `!backup,* ${KEY}`],
	['unknown', `!other ${KEY}`],
	['unknown', `Backup ${KEY}`],
	['unknown', `backup ${other.publicKey}`],
	['allowed', `backup namespaces="${NAMESPACE}" ${KEY}`],
	['allowed', `backup NameSpaces="file,${NAMESPACE}"   ${KEY} comment`],
	['allowed', `backup namespaces="n8n-*" ${KEY}`],
	['allowed', `backup namespaces="a\\"b,${NAMESPACE}" ${KEY}`],
	['wrong-namespace', `backup namespaces="file" ${KEY}`],
	['wrong-namespace', `backup namespaces="" ${KEY}`],
	['wrong-namespace', `backup namespaces="*,!n8n-*" ${KEY}`],
	['wrong-namespace', `backup namespaces="file, ${NAMESPACE}" ${KEY}`],
	['allowed', `backup namespaces="file" ${KEY}\nbackup ${KEY}`],
	['allowed', `backup valid-before="20200101Z" ${KEY}\nbackup valid-after="20260101Z" ${KEY}`],
	['not-valid-then', `backup namespaces="file" ${KEY}\nbackup valid-after="20270101Z" ${KEY}`],
	['wrong-namespace', `backup namespaces="file",valid-after="20270101Z" ${KEY}`],
	['invalid-input', `backup`],
	['invalid-input', `backup ${KEY.slice(0, -4)}`],
	['invalid-input', `backup ${KEY.replace('ssh-ed25519 ', '')}`],
	['invalid-input', KEY],
	['invalid-input', `backup namespaces="file`],
	['invalid-input', `backup namespaces=${NAMESPACE} ${KEY}`],
	['invalid-input', `backup namespaces="a\\" ${KEY}`],
	['invalid-input', `backup namespaces="*", ${KEY}`],
	['invalid-input', `backup namespaces ="*" ${KEY}`],
	['invalid-input', `backup namespaces="*",namespaces="*" ${KEY}`],
	['invalid-input', `backup valid-for="*" ${KEY}`],
	['invalid-input', `backup valid-after="1 January" ${KEY}`],
	['invalid-input', `backup valid-after="19700101Z" ${KEY}`],
	['invalid-input', ''],
	['invalid-input', '# nobody'],
	['unsupported', `backup cert-authority ${KEY}`],
	['unsupported', `backup namespaces="*",cert-authority ${KEY}`],
];

describe('a list of allowed signers', () => {
	it('is read to the last of its fields', () => {
		const text = `# who may\r\n\r\n  backup,ops@* namespaces="a,b",VALID-AFTER="20260101Z",valid-before="20270223120000z" ${KEY} of the n8n\r\n`;
		expect(parseAllowedSigners(`${text}"two words"\t${other.publicKey}`)).toEqual<AllowedSigner[]>([
			{
				principals: 'backup,ops@*',
				publicKey: KEY,
				namespaces: 'a,b',
				validAfter: new Date('2026-01-01T00:00:00Z'),
				validBefore: new Date('2027-02-23T12:00:00Z'),
			},
			{ principals: 'two words', publicKey: other.publicKey, namespaces: null, validAfter: null, validBefore: null },
		]);
	});

	it.each(
		CASES.map(([expected, signers, how]) => {
			const title = signers.replaceAll(/AAAA[\w+/=]+/g, 'AAAA…');
			return { expected, signers, how, title };
		}),
	)('says $expected, and ssh-keygen allows it only then: $title', ({ expected, signers, how = {} }) => {
		expect(verdict(signers, how)).toBe(expected);
		expect(accepts(signers, signature, 'text', asked(how))).toBe(expected === 'allowed');
	});

	// What ssh-keygen passes over, and we do not: a line that does not count is a mistake of who wrote it.
	it.each<[string, string, string]>([
		['a broken line', 'invalid-input', `backup nonsense\nbackup ${KEY}`],
		['a broken line of somebody else', 'invalid-input', `other nonsense\nbackup ${KEY}`],
		['a certificate of somebody else', 'unsupported', `other cert-authority ${other.publicKey}\nbackup ${KEY}`],
		['a day that no calendar has', 'invalid-input', `backup valid-after="20250231Z" ${KEY}`],
	])('refuses %s, which ssh-keygen passes over', (_, expected, signers) => {
		expect(verdict(signers)).toBe(expected);
		expect(accepts(signers, signature, 'text', asked())).toBe(true);
	});

	it('refuses keys of other types, which could sign nothing that we verify', () => {
		const rsa = makeKey('rsa', '-t', 'rsa', '-b', '1024', '-N', '').publicKey;
		expect(verdict(`other ${rsa}\nbackup ${KEY}`)).toBe('unsupported');
		expect(verdict(`other namespaces="file" ${rsa}\nbackup ${KEY}`)).toBe('unsupported');
	});

	it('names the line of a mistake, and quotes nothing that could be a secret', () => {
		const error = (text: string) => thrownBy(() => parseAllowedSigners(text));
		expect(error(`# a\n\nbackup nonsense`).message).toMatch(/^line 3: /);
		expect(error(`backup ${KEY}\nops cert-authority ${KEY}`)).toMatchObject({
			message: 'line 2: certificates of SSH are not supported',
			hint: expect.stringMatching(/without cert-authority/),
		});
		for (const text of [pair.secret, pair.secret.replaceAll('\n', ' '), `backup ${pair.secret}`]) {
			expect(error(text)).toMatchObject({ message: 'line 1: this is a secret key where a public one is needed' });
		}
		const line = pair.secret.split('\n')[2]!;
		for (const text of [line, `backup ${line}`, `backup x=${line} ${line}`]) {
			const { message, hint } = error(text);
			expect(`${message} ${hint}`).not.toContain(line.slice(0, 8));
		}
	});

	it('refuses more than a megabyte at once', () => {
		expect(verdict(`backup ${KEY}\n`.repeat(20_000))).toBe('invalid-input');
	});

	it('answers soon to lines made to keep it busy', () => {
		const begin = performance.now();
		for (const line of ['\\"'.repeat(200_000), 'a="'.repeat(200_000), 'a="",'.repeat(200_000), '"'.repeat(500_000)]) {
			expect(verdict(`backup namespaces="${line} ${KEY}`)).toBe('invalid-input');
			expect(verdict(`${line} ${KEY}`)).toBe('invalid-input');
		}
		expect(performance.now() - begin).toBeLessThan(2000);
	});
});

describe('a key that is asked for', () => {
	it('is known by its line, whoever it must be', () => {
		const signers = parseAllowedSigners(`ops ${other.publicKey}\nbackup,n8n ${KEY}`);
		const anybody = { namespace: NAMESPACE, at: NOON };
		expect(isAllowed(signers, `${KEY} a comment`, anybody)).toEqual({ signer: signers[1] });
		expect(isAllowed(signers, KEY, { ...anybody, principal: 'ops' })).toEqual({ signer: null, reason: 'unknown' });
		expect(isAllowed([], KEY, anybody)).toEqual({ signer: null, reason: 'unknown' });
	});

	it('is not valid at an invalid time', () => {
		expect(verdict(`backup ${KEY}`, { at: new Date(NaN) })).toBe('not-valid-then');
	});
});
