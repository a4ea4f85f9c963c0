/** The public test vectors of the age format (c2sp.org/CCTV/age): every one must give exactly the result it names. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { inflateSync } from 'node:zlib';
import * as vectors from 'cctv-age';
import { BackupError } from '../../../core/base/errors';
import { ageDecrypt } from '../../../core/codecs/age/age';

interface Vector {
	expect: string;
	payload?: string;
	identities: string[];
	passphrases: string[];
	file: Buffer;
}

function parseVector(bytes: Uint8Array): Vector {
	const text = Buffer.from(bytes);
	const end = text.indexOf('\n\n');
	const fields = text
		.toString('latin1', 0, end)
		.split('\n')
		.map((line) => line.split(/: (.*)/) as [string, string]);
	const all = (key: string) => fields.filter(([name]) => name === key).map(([, value]) => value);
	const body = text.subarray(end + 2);
	return {
		expect: all('expect')[0] as string,
		payload: all('payload')[0],
		identities: all('identity'),
		passphrases: all('passphrase'),
		file: all('compressed')[0] === 'zlib' ? inflateSync(body) : body,
	};
}

/** What our errors call each result of the vectors. */
const OUTCOME: Record<string, string[]> = {
	success: ['success'],
	'no match': ['wrong-identity'],
	'HMAC failure': ['damaged header'],
	// A newer version of the format, and more scrypt work than we are willing to do.
	'header failure': ['damaged header', 'unsupported'],
	'payload failure': ['damaged payload'],
	'armor failure': ['damaged armor'],
};

async function decrypt(vector: Vector, chunkSize: number) {
	const hash = createHash('sha256');
	const stream = ageDecrypt({
		identities: vector.identities,
		passphrase: vector.passphrases[0] ?? 'no vector has this',
	});
	const chunks = function* () {
		for (let at = 0; at < vector.file.length; at += chunkSize) yield vector.file.subarray(at, at + chunkSize);
	};
	try {
		for await (const bytes of Readable.from(chunks()).pipe(stream)) hash.update(bytes as Buffer);
	} catch (error) {
		if (!(error instanceof BackupError)) throw error;
		const outcome = error.code === 'damaged' ? `damaged ${String(error.details?.part)}` : error.code;
		return { outcome, payload: hash.digest('hex') };
	}
	return { outcome: 'success', payload: hash.digest('hex') };
}

describe('age test vectors', () => {
	const all = Object.entries(vectors).filter(([, value]) => ArrayBuffer.isView(value));

	it('are all there', () => expect(all.length).toBeGreaterThanOrEqual(143));

	for (const [name, bytes] of all) {
		const vector = parseVector(bytes);
		it(`${name}: ${vector.expect}`, async () => {
			const sizes = vector.file.length > 100_000 ? [1 << 20, 50_021] : [1 << 20, 1, 61];
			for (const size of sizes) {
				const { outcome, payload } = await decrypt(vector, size);
				expect(OUTCOME[vector.expect]).toContain(outcome);
				if (vector.payload) expect(payload).toBe(vector.payload);
			}
		});
	}
});
