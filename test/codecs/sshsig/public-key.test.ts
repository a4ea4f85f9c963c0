import { generateSigningKey, parsePublicKey } from '../../../core/codecs/sshsig/keys';
import { makeKey, thrownBy } from './ssh-keygen';

describe('a public key', () => {
	const { publicKey } = generateSigningKey();

	it('is compared without its comment and the spaces around it', () => {
		for (const text of [publicKey, `${publicKey} me@here`, ` ${publicKey.replace(' ', '\t ')}  two words \n`]) {
			expect(parsePublicKey(text)).toBe(publicKey);
		}
	});

	it.each<[string, () => string, string, RegExp]>([
		['that is secret', () => generateSigningKey().secret, 'invalid-input', /secret key where a public one/],
		['of RSA', () => makeKey('rsa', '-t', 'rsa', '-b', '1024', '-N', '').publicKey, 'unsupported', /another type/],
		['of ECDSA', () => makeKey('ecdsa', '-t', 'ecdsa', '-N', '').publicKey, 'unsupported', /another type/],
		[
			'of RSA that calls itself ed25519',
			() => `ssh-ed25519 ${btoa('\0\0\0\x07ssh-rsa')}`,
			'invalid-input',
			/not an SSH public key/,
		],
		['that is cut off', () => publicKey.slice(0, -1), 'invalid-input', /not an SSH public key/],
		['that is two lines', () => `${publicKey}\n${publicKey}`, 'invalid-input', /not an SSH public key/],
		['that is empty', () => '', 'invalid-input', /not an SSH public key/],
		[
			'of age',
			() => 'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj',
			'invalid-input',
			/not an SSH public key/,
		],
	])('is refused: one %s', (_, text, code, message) => {
		const secret = text();
		const error = thrownBy(() => parsePublicKey(secret, 'line 3: '));
		expect(error).toMatchObject({ name: 'BackupError', code, hint: expect.any(String) });
		expect(error.message).toMatch(message);
		expect(error.message).toMatch(/^line 3: /);
		expect(`${error.message} ${error.hint}`).not.toContain(secret.split('\n')[2] ?? 'AAAAC3');
	});
});
