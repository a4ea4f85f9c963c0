import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Decrypter, Encrypter } from 'age-encryption';
import fc from 'fast-check';
import { ageDecrypt, ageEncrypt, type DecryptionKeys, type Encryption } from '../../../core/codecs/age/age';
import { generateIdentity, type KeyPair } from '../../../core/codecs/age/keys';
import { cut, dumpText, run, through } from '../streams';
import { rounds } from '../../support/soak';

const CHUNK = 64 * 1024;
const PASSPHRASE = 'correct horse battery staple';

let alice: KeyPair;
let bob: KeyPair;
let quantum: KeyPair;
let directory: string;

beforeAll(async () => {
	[alice, bob, quantum] = [
		await generateIdentity(),
		await generateIdentity(),
		await generateIdentity({ postQuantum: true }),
	];
	directory = await mkdtemp(join(tmpdir(), 'age-test-'));
});
afterAll(() => rm(directory, { recursive: true }));

const encrypt = async (original: Buffer, encryption: Encryption, sizes = [70_000]) =>
	await through(cut(original, sizes), await ageEncrypt(encryption));
const decrypt = (file: Buffer, keys: DecryptionKeys, sizes = [70_000]) => through(cut(file, sizes), ageDecrypt(keys));
const toAlice = (): Encryption => ({ recipients: [alice.recipient] });
const withAlice = (): DecryptionKeys => ({ identities: [alice.identity] });

describe('age', () => {
	describe('decryption inverts encryption', () => {
		it('at every size around the border of a chunk', async () => {
			for (const chunks of [0, 1, 2, 17]) {
				for (const around of [-1, 0, 1]) {
					if (chunks === 0 && around < 0) continue;
					const original = randomBytes(chunks * CHUNK + around);
					for (const sizes of [[CHUNK], [CHUNK + 16], [1 << 20], [65_535, 3]]) {
						const file = await encrypt(original, toAlice(), sizes);
						expect(original.equals(await decrypt(file, withAlice(), sizes))).toBe(true);
					}
				}
			}
		});

		it('however the stream is cut into chunks', async () => {
			const sizes = fc.array(fc.integer({ min: 1, max: 150_000 }), { minLength: 1, maxLength: 5 });
			await fc.assert(
				fc.asyncProperty(fc.integer({ min: 0, max: 300_000 }), sizes, sizes, async (size, sizesIn, sizesBack) => {
					fc.pre(size / Math.min(...sizesIn, ...sizesBack) < 5000);
					const original = dumpText(size);
					const file = await encrypt(original, toAlice(), sizesIn);
					expect(original.equals(await decrypt(file, withAlice(), sizesBack))).toBe(true);
				}),
				{ numRuns: rounds(40, 300) },
			);
		});

		it('for each of several recipients', async () => {
			const file = await encrypt(dumpText(1000), { recipients: [alice.recipient, bob.recipient] });
			for (const { identity } of [alice, bob])
				expect(await decrypt(file, { identities: [identity] })).toEqual(dumpText(1000));
		});

		it('with the right one of several identities', async () => {
			const file = await encrypt(dumpText(1000), toAlice());
			const identities = [quantum.identity, bob.identity, alice.identity];
			expect(await decrypt(file, { identities, passphrase: PASSPHRASE })).toEqual(dumpText(1000));
		});

		it('for post-quantum recipients', async () => {
			const other = await generateIdentity({ postQuantum: true });
			const file = await encrypt(dumpText(1000), { recipients: [other.recipient, quantum.recipient] });
			expect(await decrypt(file, { identities: [quantum.identity] })).toEqual(dumpText(1000));
		});

		it('for a passphrase', async () => {
			const file = await encrypt(dumpText(1000), { passphrase: PASSPHRASE });
			expect(await decrypt(file, { passphrase: PASSPHRASE })).toEqual(dumpText(1000));
		});
	});

	it('does not block the event loop while it works on a passphrase', async () => {
		const delay = monitorEventLoopDelay({ resolution: 5 });
		const start = performance.now();
		delay.enable();
		await encrypt(dumpText(10), { passphrase: PASSPHRASE });
		delay.disable();
		// Computed in JavaScript, it would be one single pause.
		expect(delay.max / 1e6).toBeLessThan((performance.now() - start) / 2);
	});

	it('gives nothing more when it is destroyed while a passphrase is checked', async () => {
		const encrypter = new Encrypter();
		encrypter.setPassphrase(PASSPHRASE);
		encrypter.setScryptWorkFactor(14);
		const file = Buffer.from(await encrypter.encrypt(dumpText(200_000)));
		const stream = ageDecrypt({ passphrase: PASSPHRASE });
		let out = 0;
		stream.on('data', (bytes: Buffer) => (out += bytes.length));
		stream.write(file);
		await new Promise((resolve) => setImmediate(resolve));
		stream.destroy();
		// Takes longer than what is still under way for the destroyed stream.
		expect(await decrypt(file, { passphrase: PASSPHRASE })).toHaveLength(200_000);
		expect(out).toBe(0);
	});

	it('never gives the same file twice', async () => {
		const [one, two] = [await encrypt(dumpText(100), toAlice()), await encrypt(dumpText(100), toAlice())];
		expect(one.equals(two)).toBe(false);
		expect(one.subarray(-100).equals(two.subarray(-100))).toBe(false);
	});

	describe('works with the age-encryption library', () => {
		it.each([
			['X25519', () => alice],
			['post-quantum', () => quantum],
		])('both ways, for %s keys', async (_, key) => {
			const original = dumpText(3 * CHUNK);
			const encrypter = new Encrypter();
			encrypter.addRecipient(key().recipient);
			expect(await decrypt(Buffer.from(await encrypter.encrypt(original)), { identities: [key().identity] })).toEqual(
				original,
			);
			const decrypter = new Decrypter();
			decrypter.addIdentity(key().identity);
			const file = await encrypt(original, { recipients: [key().recipient] });
			expect(original.equals(await decrypter.decrypt(file))).toBe(true);
		});
	});

	describe('works with the age program', () => {
		const saveIdentity = async (key: KeyPair) => {
			const path = join(directory, `${key.recipient.slice(0, 20)}.txt`);
			await writeFile(path, `# made by a test\n${key.identity}\n`, { mode: 0o600 });
			return path;
		};

		it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1_000_000])(
			'which opens what we encrypt: %i bytes',
			async (size) => {
				const file = await encrypt(dumpText(size), { recipients: [bob.recipient, alice.recipient] });
				for (const key of [alice, bob]) {
					expect(dumpText(size).equals(await run('age', ['-d', '-i', await saveIdentity(key)], file))).toBe(true);
				}
			},
		);

		it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1_000_000])(
			'and whose files we open: %i bytes',
			async (size) => {
				const original = dumpText(size);
				for (const options of [[], ['-a']]) {
					const file = await run('age', [...options, '-r', bob.recipient, '-r', alice.recipient], original);
					for (const sizes of [[file.length], [65_536], [1000, 3]]) {
						expect(original.equals(await decrypt(file, withAlice(), sizes))).toBe(true);
					}
				}
			},
		);

		it('whose keys are made by age-keygen', async () => {
			const text = (await run('age-keygen', [], Buffer.alloc(0))).toString();
			const recipient = /public key: (age1\w+)/.exec(text)?.[1] as string;
			const identity = /^AGE-SECRET-KEY-1\w+$/m.exec(text)?.[0] as string;
			expect(
				await decrypt(await encrypt(dumpText(9), { recipients: [recipient] }), { identities: [identity] }),
			).toEqual(dumpText(9));
		});

		it('also with a passphrase, both ways', async () => {
			const path = (name: string) => join(directory, name);
			await writeFile(path('ours.age'), await encrypt(dumpText(100_000), { passphrase: PASSPHRASE }));
			await answerPassphrase(`age -d -o ${path('ours')} ${path('ours.age')}`);
			expect(dumpText(100_000).equals(await readFile(path('ours')))).toBe(true);

			await writeFile(path('theirs'), dumpText(100_000));
			await answerPassphrase(`age -p -o ${path('theirs.age')} ${path('theirs')}`);
			const file = await readFile(path('theirs.age'));
			expect(dumpText(100_000).equals(await decrypt(file, { passphrase: PASSPHRASE }))).toBe(true);
		});
	});

	describe('refuses', () => {
		let file: Buffer;
		let headerBytes: number;
		beforeAll(async () => {
			file = await encrypt(dumpText(3 * CHUNK), toAlice());
			headerBytes = file.indexOf('\n', file.indexOf('\n---') + 1) + 1;
		});

		it('the wrong identity, without saying anything secret', async () => {
			const error = await decrypt(file, { identities: [bob.identity, quantum.identity] }).catch(
				(thrown: unknown) => thrown,
			);
			expect(error).toMatchObject({ code: 'wrong-identity', hint: expect.any(String) as string });
			const { message, hint, cause } = error as Error & { hint: string };
			expect(`${message} ${hint} ${String(cause)}`).not.toMatch(/AGE-SECRET|age1/);
		});

		it('the wrong passphrase, and a passphrase instead of an identity or the other way round', async () => {
			const locked = await encrypt(dumpText(10), { passphrase: PASSPHRASE });
			await expect(decrypt(locked, { passphrase: 'incorrect horse battery' })).rejects.toMatchObject({
				code: 'wrong-identity',
				message: 'the passphrase is wrong',
			});
			await expect(decrypt(locked, withAlice())).rejects.toMatchObject({ code: 'wrong-identity' });
			await expect(decrypt(file, { passphrase: PASSPHRASE })).rejects.toMatchObject({ code: 'wrong-identity' });
		});

		it('a file that is encrypted to an SSH key, and says how to open it', async () => {
			await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, 'ssh')], Buffer.alloc(0));
			const recipient = (await readFile(join(directory, 'ssh.pub'), 'utf8')).trim();
			const ssh = await run('age', ['-r', recipient], Buffer.from('x'));
			await expect(decrypt(ssh, withAlice())).rejects.toMatchObject({
				code: 'wrong-identity',
				hint: expect.stringContaining('SSH') as string,
			});
		});

		it('a file that was cut, wherever that is', async () => {
			const sealed = CHUNK + 16;
			const payload = headerBytes + 16;
			const places = [1, 18, 30, headerBytes - 1, headerBytes, headerBytes + 15, payload, payload + 1, payload + 16];
			for (const chunks of [1, 2, 3]) for (const by of [-16, -1, 0, 1]) places.push(payload + chunks * sealed + by);
			for (const place of places.filter((at) => at < file.length)) {
				await expect(decrypt(file.subarray(0, place), withAlice())).rejects.toMatchObject({ code: 'damaged' });
			}
			await expect(decrypt(file.subarray(0, payload + sealed), withAlice())).rejects.toMatchObject({
				message: 'the encrypted file is truncated',
			});
		});

		it('any flipped bit', async () => {
			const places = [
				...Array.from({ length: headerBytes }, (_, i) => i),
				headerBytes,
				headerBytes + 20,
				headerBytes + CHUNK,
				file.length - 1,
			];
			for (const place of places) {
				const flipped = Buffer.from(file);
				flipped[place] = (flipped[place] as number) ^ 1;
				await expect(decrypt(flipped, withAlice())).rejects.toMatchObject({
					code: expect.stringMatching(/^(damaged|wrong-identity|unsupported)$/) as string,
				});
			}
		});

		it('chunks in another order, doubled, or behind the end', async () => {
			const sealed = CHUNK + 16;
			const head = file.subarray(0, headerBytes + 16);
			const chunks = [0, 1, 2].map((i) => file.subarray(head.length + i * sealed, head.length + (i + 1) * sealed));
			expect(Buffer.concat([head, ...chunks]).equals(file)).toBe(true);
			for (const order of [
				[1, 0, 2],
				[0, 0, 1, 2],
				[0, 2],
				[0, 1, 2, 2],
				[0, 1],
			]) {
				// prettier-ignore
				const shuffled = Buffer.concat([head, ...order.map((i) => chunks[i] as Buffer)]);
				await expect(decrypt(shuffled, withAlice())).rejects.toMatchObject({
					code: 'damaged',
					details: { part: 'payload' },
				});
			}
		});

		it('what is not an age file', async () => {
			for (const text of [
				'',
				'a',
				'-- PostgreSQL database dump\n',
				'anything',
				'\0\0\0',
				'-----BEGIN PGP MESSAGE-----\n',
			]) {
				await expect(
					through(
						[Buffer.from(text)].filter(({ length }) => length > 0),
						ageDecrypt(withAlice()),
					),
				).rejects.toMatchObject({
					code: 'damaged',
				});
			}
		});

		it('a header without end before it fills the memory', async () => {
			const endless = function* () {
				yield Buffer.from('age-encryption.org/v1\n');
				for (let i = 0; i < 1000; i++) yield Buffer.from(`-> grease ${'x'.repeat(1000)}\n\n`);
			};
			const stream = ageDecrypt(withAlice());
			await expect(through(endless(), stream)).rejects.toMatchObject({
				code: 'damaged',
				message: expect.stringContaining('64 KiB') as string,
			});
		});

		it('a passphrase file that demands more work than anybody needs', async () => {
			const greedy =
				'age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- AAAA\n';
			await expect(decrypt(Buffer.from(greedy), { passphrase: PASSPHRASE })).rejects.toMatchObject({
				code: 'unsupported',
			});
		});

		it('keys that cannot be used, before any byte is read', async () => {
			expect(() => ageDecrypt({})).toThrow(expect.objectContaining({ code: 'invalid-input' }) as Error);
			expect(() => ageDecrypt({ identities: ['AGE-SECRET-KEY-1XYZ'] })).toThrow(
				expect.objectContaining({ code: 'invalid-input' }) as Error,
			);
			const bad: Array<[Encryption, string]> = [
				[{ recipients: [] }, 'invalid-input'],
				[{ recipients: [alice.identity] }, 'invalid-input'],
				[{ recipients: [alice.recipient.slice(0, -1)] }, 'invalid-input'],
				[{ recipients: [alice.recipient, quantum.recipient] }, 'invalid-input'],
				[{ recipients: Array.from({ length: 700 }, () => alice.recipient) }, 'invalid-input'],
				[{ passphrase: 'short' }, 'invalid-input'],
			];
			for (const [encryption, code] of bad) await expect(ageEncrypt(encryption)).rejects.toMatchObject({ code });
		});
	});

	it('gives what is good before it refuses the rest', async () => {
		const file = await encrypt(dumpText(20 * CHUNK), toAlice());
		file[file.length - 5] = (file[file.length - 5] as number) ^ 1;
		const stream = ageDecrypt(withAlice());
		const out: Buffer[] = [];
		const reading = (async () => {
			for await (const bytes of Readable.from(cut(file, [100_000])).pipe(stream)) {
				out.push(bytes as Buffer);
				await new Promise((resolve) => setImmediate(resolve));
			}
		})();
		await expect(reading).rejects.toMatchObject({ code: 'damaged' });
		expect(Buffer.concat(out).equals(dumpText(19 * CHUNK))).toBe(true);
	});

	it('hands on the error of the source, and stops when cancelled', async () => {
		const source = new PassThrough();
		const done = pipeline(source, await ageEncrypt(toAlice()), ageDecrypt(withAlice()), new PassThrough().resume());
		source.write(dumpText(200_000));
		source.destroy(new Error('the database went away'));
		await expect(done).rejects.toThrow('the database went away');

		const abort = new AbortController();
		const stream = await ageEncrypt(toAlice());
		const cancelled = pipeline(new PassThrough(), stream, new PassThrough().resume(), { signal: abort.signal });
		abort.abort();
		await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
		expect(stream.destroyed).toBe(true);
	});
});

/** Runs a command on a terminal of its own, and types the passphrase whenever it is asked for. */
function answerPassphrase(command: string): Promise<void> {
	return new Promise((resolve, reject) => {
		const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
		let shown = '';
		let answered = 0;
		terminal.stdout.on('data', (text: Buffer) => {
			shown += text.toString();
			for (const prompts = shown.split(/passphrase[^\n]*: /).length - 1; answered < prompts; answered++) {
				terminal.stdin.write(`${PASSPHRASE}\n`);
			}
		});
		terminal.on('error', reject);
		terminal.on('close', (code) =>
			code === 0 ? resolve() : reject(new Error(`"${command}" ended with ${code}: ${shown}`)),
		);
	});
}
