import { isBackupError } from '../../../core/base/errors';
import { generateSigningKey, parseSigningKey } from '../../../core/codecs/sshsig/keys';
import { sign, verifySignature } from '../../../core/codecs/sshsig/signature';
import { sshString, toArmor, uint32 } from '../../../core/codecs/sshsig/wire';
import { accepts, makeKey, NAMESPACE, signWith, thrownBy } from './ssh-keygen';

const TEXT = '{ "label": "k7xm" }\n';
const pair = generateSigningKey('backup@example.org');
const key = parseSigningKey(pair.secret);
const signature = sign(TEXT, key, NAMESPACE);
const blob = Buffer.from(signature.replaceAll(/-----.*-----|\n/g, ''), 'base64');

/** What a verification throws, or the key that it found. */
function outcome(text: string | Buffer, armored: string, namespace = NAMESPACE): string {
	try {
		return verifySignature(text, armored, namespace).publicKey;
	} catch (error) {
		if (!isBackupError(error)) throw error;
		return error.code;
	}
}

/** The parts of a signature, to be put together in other ways. */
const PARTS = {
	magic: Buffer.from('SSHSIG'),
	version: uint32(1),
	key: sshString(Buffer.from(key.publicKey.split(' ')[1]!, 'base64')),
	namespace: sshString(NAMESPACE),
	reserved: sshString(''),
	hash: sshString('sha512'),
	signature: sshString(Buffer.concat([sshString('ssh-ed25519'), sshString(blob.subarray(-64))])),
	after: Buffer.alloc(0),
};
const build = (parts: Partial<typeof PARTS> = {}) =>
	toArmor('SSH SIGNATURE', Buffer.concat(Object.values({ ...PARTS, ...parts })));

describe('a signature', () => {
	it.each([
		['an empty text', ''],
		['letters of all kinds', 'Grüße, 備份 \u{1f4be}\r\n'],
		['bytes that are no text', Buffer.from([0, 255, 10, 13, 128, 0])],
		['a megabyte', Buffer.alloc(1_000_000, 'backup')],
	])('of %s is the one that ssh-keygen makes, and each verifies what the other made', (_, text) => {
		const ours = sign(text, key, NAMESPACE);
		expect(ours).toBe(signWith(pair.secret, text));
		expect(accepts(`backup ${pair.publicKey}`, ours, text)).toBe(true);
		expect(verifySignature(text, ours, NAMESPACE)).toEqual({ publicKey: key.publicKey });
	});

	it('of a key that ssh-keygen made, with either hash, names that key', () => {
		const made = makeKey('made', '-t', 'ed25519', '-N', '');
		const publicKey = made.publicKey.split(' ').slice(0, 2).join(' ');
		for (const args of [[], ['-Ohashalg=sha256']]) {
			expect(verifySignature(TEXT, signWith(made.secret, TEXT, ...args), NAMESPACE)).toEqual({ publicKey });
		}
	});

	it('of a text is that of its UTF-8 bytes', () => {
		expect(sign('ä', key, NAMESPACE)).toBe(sign(Buffer.from('ä'), key, NAMESPACE));
	});

	it('is for one purpose, here and for ssh-keygen', () => {
		expect(thrownBy(() => verifySignature(TEXT, signature, 'file'))).toMatchObject({
			code: 'bad-signature',
			message: 'the signature was made for another purpose than "file"',
		});
		expect(accepts(`backup ${pair.publicKey}`, signature, TEXT, { namespace: 'file' })).toBe(false);
		expect(thrownBy(() => sign(TEXT, key, ''))).toMatchObject({ code: 'invalid-input' });
	});

	it('is bad when it is of another key than the one that stands in it', () => {
		const other = parseSigningKey(generateSigningKey().secret);
		const forged = build({ key: sshString(Buffer.from(other.publicKey.split(' ')[1]!, 'base64')) });
		expect(outcome(TEXT, forged)).toBe('bad-signature');
	});

	it('is refused after any change of one byte of its text', () => {
		const bytes = Buffer.from(TEXT);
		for (let at = 0; at < bytes.length; at++) {
			for (let change = 1; change < 256; change++) {
				const changed = Buffer.from(bytes);
				changed[at]! ^= change;
				if (outcome(changed, signature) !== 'bad-signature') throw new Error(`byte ${at}, change ${change}`);
			}
		}
	});

	it('is refused after any change of one character', () => {
		for (let at = 0; at < signature.length; at++) {
			for (let code = 0; code < 256; code++) {
				if (code === signature.charCodeAt(at)) continue;
				const changed = signature.slice(0, at) + String.fromCharCode(code) + signature.slice(at + 1);
				if (outcome(TEXT, changed) === key.publicKey) throw new Error(`character ${at}, now ${code}`);
			}
		}
	});

	it('is refused after any change of one of its bits below the text form', () => {
		for (let bit = 0; bit < blob.length * 8; bit++) {
			const changed = Buffer.from(blob);
			changed[bit >> 3]! ^= 1 << (bit & 7);
			if (outcome(TEXT, toArmor('SSH SIGNATURE', changed)) === key.publicKey) throw new Error(`bit ${bit}`);
		}
	});

	it('is damaged when anything is missing, but for its last line break', () => {
		expect(outcome(TEXT, signature.slice(0, -1))).toBe(key.publicKey);
		for (let length = 0; length < signature.length - 1; length++) {
			expect(outcome(TEXT, signature.slice(0, length))).toBe('damaged');
		}
		for (let length = 1; length < blob.length; length++) {
			expect(outcome(TEXT, toArmor('SSH SIGNATURE', blob.subarray(0, length)))).toBe('damaged');
		}
	});

	it.each([
		['something before it', ` ${signature}`],
		['something after it', `${signature}\n`],
		['two of them', signature + signature],
		['line ends of Windows', signature.replaceAll('\n', '\r\n')],
		['other marker lines', signature.replaceAll('SSH SIGNATURE', 'PGP SIGNATURE')],
		['an empty line in it', signature.replace('\n', '\n\n')],
		['a megabyte of base64', toArmor('SSH SIGNATURE', Buffer.concat([blob, Buffer.alloc(1_000_000)]))],
		['other magic bytes', build({ magic: Buffer.from('SSHSIC') })],
		[
			'bytes after the end of what is in it',
			build({
				signature: sshString(
					Buffer.concat([sshString('ssh-ed25519'), sshString(blob.subarray(-64)), Buffer.from([0])]),
				),
			}),
		],
		['bytes after its end', build({ after: Buffer.from([0]) })],
		[
			'a key with too few bytes',
			build({ key: sshString(Buffer.concat([sshString('ssh-ed25519'), sshString('short')])) }),
		],
		['a length that it has not', build({ namespace: Buffer.from('ffffffff', 'hex') })],
		[
			'a signature of another type',
			build({ signature: sshString(Buffer.concat([sshString('ssh-rsa'), sshString('x')])) }),
		],
	])('is damaged with %s', (_, changed) => {
		expect(outcome(TEXT, build())).toBe(key.publicKey);
		expect(thrownBy(() => verifySignature(TEXT, changed, NAMESPACE))).toMatchObject({
			name: 'BackupError',
			code: 'damaged',
			message: 'this is not a complete SSH signature',
		});
	});

	it('is damaged in any other spelling of its base64: without padding, or with bits that belong to no byte', () => {
		// Only where the bytes do not fill the last four characters; the length of the namespace decides that.
		const purpose = [`${NAMESPACE}1`, `${NAMESPACE}12`, `${NAMESPACE}123`].find((each) =>
			sign(TEXT, key, each).includes('=\n'),
		)!;
		const made = sign(TEXT, key, purpose);
		const spoiled = made.replace(/(.)(=+\n)/, (_, last: string, end: string) => {
			const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
			return alphabet[alphabet.indexOf(last) + 1]! + end;
		});
		const bytesOf = (armored: string) => Buffer.from(armored.replaceAll(/-----.*-----|\n/g, ''), 'base64');
		expect(bytesOf(spoiled)).toEqual(bytesOf(made));
		expect(outcome(TEXT, made, purpose)).toBe(key.publicKey);
		expect(outcome(TEXT, spoiled, purpose)).toBe('damaged');
		expect(outcome(TEXT, made.replace(/=+(?=\n)/, ''), purpose)).toBe('damaged');
	});

	it.each([63, 65, 0])('is bad with %d bytes instead of 64', (length) => {
		const wrong = Buffer.concat([blob.subarray(-64), Buffer.alloc(1)]).subarray(0, length);
		const changed = build({ signature: sshString(Buffer.concat([sshString('ssh-ed25519'), sshString(wrong)])) });
		expect(outcome(TEXT, changed)).toBe('bad-signature');
	});

	it('is bad in the second spelling that ed25519 has for each signature', () => {
		const order = 2n ** 252n + 27742317777372353535851937790883648493n;
		const s = BigInt(`0x${Buffer.from(blob.subarray(-32)).reverse().toString('hex')}`) + order;
		const second = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
		const both = Buffer.concat([blob.subarray(-64, -32), second]);
		const changed = build({ signature: sshString(Buffer.concat([sshString('ssh-ed25519'), sshString(both)])) });
		expect(outcome(TEXT, changed)).toBe('bad-signature');
	});

	it.each([
		['version', { version: uint32(2) }, /another version than 1/],
		['hash', { hash: sshString('sha1') }, /neither sha512 nor sha256/],
		['reserved field', { reserved: sshString('later') }, /reserved/],
		['key', { key: sshString(sshString('ssh-rsa')) }, /not an ed25519 key/],
	])('is not supported with a %s that nobody knows here', (_, parts, message) => {
		expect(thrownBy(() => verifySignature(TEXT, build(parts), NAMESPACE))).toMatchObject({
			name: 'BackupError',
			code: 'unsupported',
			message: expect.stringMatching(message),
			hint: expect.stringMatching(/ed25519/),
		});
	});

	it.each([
		['rsa', '2048'],
		['ecdsa', '256'],
	])('of a key of type %s is not supported', (type, bits) => {
		const { secret } = makeKey(type, '-t', type, '-b', bits, '-N', '');
		expect(outcome(TEXT, signWith(secret, TEXT))).toBe('unsupported');
	});

	it('that was changed at random is refused, and in no other way than by an error of ours', () => {
		let state = 11;
		const random = (below: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below;
		const mutate = (bytes: Buffer): Buffer => {
			const at = random(bytes.length);
			const some = Buffer.from(Array.from({ length: random(8) }, () => random(256)));
			const length = random(20);
			return [
				() => Buffer.concat([bytes.subarray(0, at), some, bytes.subarray(at)]),
				() => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length + 1)]),
				() => Buffer.concat([bytes.subarray(0, at), some, bytes.subarray(at + some.length)]),
				() => Buffer.concat([bytes.subarray(0, at), bytes.subarray(0, length), bytes.subarray(at)]),
				() => some,
			][random(5)]!();
		};
		for (let n = 0; n < 3000; n++) {
			let changed: Buffer = n % 2 === 0 ? blob : Buffer.from(signature);
			for (let times = 1 + random(3); times > 0 && changed.length > 0; times--) changed = mutate(changed);
			if (changed.equals(blob) || changed.equals(Buffer.from(signature))) continue;
			const armored = n % 2 === 0 ? toArmor('SSH SIGNATURE', changed) : changed.toString('latin1');
			if (armored.trimEnd() === signature.trimEnd()) continue;
			expect(['damaged', 'unsupported', 'bad-signature']).toContain(outcome(TEXT, armored));
		}
	});
});
