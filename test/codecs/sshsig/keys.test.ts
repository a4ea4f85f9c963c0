import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { isBackupError } from '../../../core/base/errors';
import { generateSigningKey, parsePublicKey, parseSigningKey } from '../../../core/codecs/sshsig/keys';
import { sign, verifySignature } from '../../../core/codecs/sshsig/signature';
import { secretKeyText } from '../../../core/codecs/sshsig/secret-key';
import { publicKeyText, rawOf } from '../../../core/codecs/sshsig/public-key';
import { makeKey, NAMESPACE, signWith, sshKeygen, thrownBy, write } from './ssh-keygen';

const withoutComment = (publicKey: string) => publicKey.split(' ').slice(0, 2).join(' ');
const bodyOf = (secret: string) => secret.replaceAll(/-----[A-Z ]+-----|\s/g, '');

/** Whether an error tells anything of a secret: in what people see, or in what lies below it. */
function tells(error: ReturnType<typeof thrownBy>, secret: string): boolean {
	if (!secret.includes('PRIVATE KEY')) return false;
	const all = [error.message, error.hint, error.cause, JSON.stringify(error)].join(' ');
	return [...bodyOf(secret).matchAll(/.{8}/g)].some(([piece]) => all.includes(piece));
}

describe('a signing key', () => {
	it.each(['', 'backup', 'backup@example.org', 'Sicherung für Büro 2', 'with a comment that fills more than a block'])(
		'is made as ssh-keygen reads it, with the comment "%s"',
		(comment) => {
			const { secret, publicKey } = generateSigningKey(comment);
			const { ok, stdout } = sshKeygen(['-y', '-f', write('generated', secret)]);
			expect(ok).toBe(true);
			expect(stdout.trim()).toBe(publicKey);
			expect(publicKey).toBe(`${withoutComment(publicKey)} ${comment}`.trim());
			expect(verifySignature('text', signWith(secret, 'text'), NAMESPACE)).toEqual({
				publicKey: withoutComment(publicKey),
			});
			expect(parseSigningKey(secret).publicKey).toBe(withoutComment(publicKey));
		},
	);

	it('is another one each time', () => {
		expect(generateSigningKey().publicKey).not.toBe(generateSigningKey().publicKey);
	});

	it('has no comment of several lines: the second would be a line of its own in a list of signers', () => {
		expect(thrownBy(() => generateSigningKey('a\n* ssh-ed25519 AAAA'))).toMatchObject({ code: 'invalid-input' });
	});

	it('may begin with a zero', () => {
		const pairs = Iterator.from({ next: () => ({ done: false, value: generateKeyPairSync('ed25519').privateKey }) });
		const privateKey = pairs.find((each) => rawOf(each)[0] === 0)!;
		const secret = secretKeyText(privateKey, 'zero');
		const publicKey = publicKeyText(rawOf(privateKey));
		expect(sshKeygen(['-y', '-f', write('zero', secret)]).stdout.trim()).toBe(`${publicKey} zero`);
		expect(parseSigningKey(secret).publicKey).toBe(publicKey);
		expect(parsePublicKey(publicKey)).toBe(publicKey);
	});

	it('is read as ssh-keygen wrote it', () => {
		const { secret, publicKey } = makeKey('theirs', '-t', 'ed25519', '-N', '');
		const key = parseSigningKey(secret);
		expect(key.publicKey).toBe(withoutComment(publicKey));
		expect(sign('text', key, NAMESPACE)).toBe(signWith(secret, 'text'));
	});

	it('is read as openssl wrote it', () => {
		const { privateKey } = generateKeyPairSync('ed25519');
		const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
		expect(parseSigningKey(pem).publicKey).toBe(publicKeyText(rawOf(privateKey)));
		// RFC 8410, section 10.3: the example has a comment of its own and the public half as well.
		const example = [
			'-----BEGIN PRIVATE KEY-----',
			'MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC',
			'oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB',
			'Z9w7lshQhqowtrbLDFw4rXAxZuE=',
			'-----END PRIVATE KEY-----',
		].join('\n');
		expect(parseSigningKey(example).publicKey).toBe(
			publicKeyText(Buffer.from('19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1', 'hex')),
		);
	});

	it.each<[string, (text: string) => string]>([
		['with spaces for line breaks', (text) => text.replaceAll('\n', ' ')],
		['with \\n for line breaks', (text) => text.replaceAll('\n', '\\n')],
		['with \\r\\n for line breaks', (text) => text.replaceAll('\n', '\\r\\n')],
		['with line ends of Windows', (text) => text.replaceAll('\n', '\r\n')],
		['without line breaks', (text) => text.replaceAll('\n', '')],
		['in an indented block', (text) => `\n\n${text.replaceAll(/^/gm, '\t  ')}\n`],
	])('is read from a field of n8n, %s', (_, spoil) => {
		const { secret, publicKey } = generateSigningKey();
		const pem = parseSigningKey(secret).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
		expect(parseSigningKey(spoil(secret)).publicKey).toBe(publicKey);
		expect(parseSigningKey(spoil(pem)).publicKey).toBe(publicKey);
	});

	it('shows nothing of its secret when it is printed', () => {
		const { secret } = generateSigningKey();
		const key = parseSigningKey(secret);
		expect(JSON.parse(JSON.stringify(key))).toEqual({ publicKey: key.publicKey, privateKey: {} });
	});
});

describe('a text that is no signing key', () => {
	const encrypted = generateKeyPairSync('ed25519').privateKey.export({
		format: 'pem',
		type: 'pkcs8',
		cipher: 'aes-256-cbc',
		passphrase: 'a passphrase',
	});
	const make = (...args: string[]) => makeKey('made', ...args).secret;

	it.each<[string, () => string, string, RegExp, RegExp]>([
		[
			'with a passphrase',
			() => make('-t', 'ed25519', '-N', 'a passphrase'),
			'unsupported',
			/passphrase/,
			/ssh-keygen -p/,
		],
		['of openssl with a passphrase', () => encrypted.toString(), 'unsupported', /passphrase/, /openssl pkey/],
		['of RSA', () => make('-t', 'rsa', '-b', '1024', '-N', ''), 'unsupported', /type/, /-t ed25519/],
		[
			'of RSA, as PEM',
			() => make('-t', 'rsa', '-b', '1024', '-N', '', '-m', 'PEM'),
			'unsupported',
			/type/,
			/-t ed25519/,
		],
		[
			'of RSA, encrypted PEM',
			() => make('-t', 'rsa', '-b', '1024', '-N', 'phrase', '-m', 'PEM'),
			'unsupported',
			/type/,
			/-t ed25519/,
		],
		[
			'of RSA, as PKCS#8',
			() => make('-t', 'rsa', '-b', '1024', '-N', '', '-m', 'PKCS8'),
			'unsupported',
			/type/,
			/-t ed25519/,
		],
		['of ECDSA', () => make('-t', 'ecdsa', '-N', ''), 'unsupported', /type/, /-t ed25519/],
		['of ECDSA, as PEM', () => make('-t', 'ecdsa', '-N', '', '-m', 'PEM'), 'unsupported', /type/, /-t ed25519/],
		['of PuTTY', () => 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none', 'unsupported', /type/, /-t ed25519/],
		['that is public', () => generateSigningKey().publicKey, 'invalid-input', /public key/, /other file/],
		[
			'that is public, of RSA',
			() => makeKey('r', '-t', 'rsa', '-b', '1024', '-N', '').publicKey,
			'invalid-input',
			/public/,
			/other file/,
		],
		[
			'that is public, as PEM',
			() => generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString(),
			'invalid-input',
			/public key/,
			/other file/,
		],
		[
			'of age',
			() => 'AGE-SECRET-KEY-1QQQQQQQQQQQ',
			'invalid-input',
			/not a complete signing key/,
			/BEGIN OPENSSH PRIVATE KEY/,
		],
		['that is empty', () => '', 'invalid-input', /not a complete signing key/, /ssh-keygen -t ed25519/],
		[
			'that is much too long',
			() => generateSigningKey('x'.repeat(20_000)).secret,
			'invalid-input',
			/not a complete signing key/,
			/all of it/,
		],
	])('is refused with what to do: a key %s', (_, text, code, message, hint) => {
		const secret = text();
		const error = thrownBy(() => parseSigningKey(secret));
		expect(error).toMatchObject({ name: 'BackupError', code });
		expect(error.message).toMatch(message);
		expect(error.hint).toMatch(hint);
		expect(error.cause).toBeUndefined();
		expect(tells(error, secret)).toBe(false);
	});

	it('is refused at any length that is not all of one', () => {
		const { secret } = generateSigningKey('backup@example.org');
		for (let length = 0; length < secret.length - 1; length++) {
			const error = thrownBy(() => parseSigningKey(secret.slice(0, length)));
			expect(error).toMatchObject({ name: 'BackupError', code: 'invalid-input' });
			expect(tells(error, secret)).toBe(false);
		}
	});

	it('is never taken for another key when one character is wrong', () => {
		const { secret, publicKey } = generateSigningKey();
		for (let at = 0; at < secret.length; at++) {
			for (const char of 'A+z9= \n"\u0000é') {
				const changed = secret.slice(0, at) + char + secret.slice(at + 1);
				try {
					expect(parseSigningKey(changed).publicKey).toBe(publicKey);
				} catch (error) {
					if (!isBackupError(error, 'invalid-input', 'unsupported')) throw error;
					expect(tells(error, secret)).toBe(false);
				}
			}
		}
	});

	describe('because something in it does not belong to the rest', () => {
		const bytes = Buffer.from(bodyOf(generateSigningKey('backup').secret), 'base64');
		const { d } = parseSigningKey(generateSigningKey().secret).privateKey.export({ format: 'jwk' });
		const raw = Buffer.from(bytes.subarray(62, 94));
		const inside = bytes.indexOf(raw, 94);
		const armored = (changed: Buffer) =>
			`-----BEGIN OPENSSH PRIVATE KEY-----\n${changed.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----`;

		it.each<[string, number, Buffer]>([
			['the secret half', inside + 36, Buffer.from(d!, 'base64url')],
			['the public half', 62, Buffer.alloc(32, 7)],
			['the public half beside the secret', inside, Buffer.alloc(32, 7)],
			['the public half behind the secret', inside + 68, Buffer.alloc(32, 7)],
			['one of the numbers that must be equal', 98, Buffer.alloc(4)],
			['the number of keys', 35, Buffer.from([0, 0, 0, 2])],
			['the name of the type', inside - 5, Buffer.from('8')],
			['the bytes that fill the last block', bytes.length - 1, Buffer.from([9])],
			['what comes after the end', bytes.length, Buffer.from([0])],
		])('is refused: %s', (_, at, what) => {
			expect(parseSigningKey(armored(bytes)).publicKey).toBe(publicKeyText(raw));
			const changed = Buffer.concat([bytes.subarray(0, at), what, bytes.subarray(at + what.length)]);
			expect(thrownBy(() => parseSigningKey(armored(changed)))).toMatchObject({ code: 'invalid-input' });
		});

		it('is refused: PKCS#8 that holds nothing of the kind', () => {
			const text = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----';
			expect(thrownBy(() => parseSigningKey(text))).toMatchObject({ code: 'invalid-input' });
		});
	});
});

it('OpenSSL and we agree on the public half of a key', () => {
	const { secret } = generateSigningKey();
	const { privateKey, publicKey } = parseSigningKey(secret);
	const again = createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' }));
	expect(publicKeyText(rawOf(again))).toBe(publicKey);
});
