import {
	assertPassphrase,
	generateIdentity,
	parseIdentities,
	parseRecipients,
	provesIdentity,
	recipientOf,
} from '../../../core/codecs/age/keys';
import { run } from '../streams';

/** What a function throws, as plain facts. */
function thrownBy(action: () => unknown): { code?: string; message: string; hint?: string; cause?: unknown } {
	try {
		action();
	} catch (error) {
		return error as Error;
	}
	throw new Error('nothing was thrown');
}

describe('age keys', () => {
	it('are made like age-keygen makes them', async () => {
		const { identity, recipient } = await generateIdentity();
		expect(identity).toMatch(/^AGE-SECRET-KEY-1[A-Z0-9]{58}$/);
		expect((await run('age-keygen', ['-y'], Buffer.from(identity))).toString().trim()).toBe(recipient);
		expect(await recipientOf(identity)).toBe(recipient);
	});

	it('are post-quantum when asked for', async () => {
		const { identity, recipient } = await generateIdentity({ postQuantum: true });
		expect(identity).toMatch(/^AGE-SECRET-KEY-PQ-1[A-Z0-9]{58}$/);
		expect(recipient).toMatch(/^age1pq1[a-z0-9]{1900,}$/);
		expect(await recipientOf(identity)).toBe(recipient);
	});

	it('have the recipient that the age specification shows for its example', async () => {
		expect(await recipientOf('AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX')).toBe(
			'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj',
		);
	});

	describe('in text', () => {
		it('are read from the files that age reads: comments, empty lines, any line end', async () => {
			const [one, two] = [await generateIdentity(), await generateIdentity({ postQuantum: true })];
			const file = `# created: today\r\n# public key: ${one.recipient}\r\n${one.identity}\r\n\r\n  ${two.identity}`;
			expect(parseIdentities(file)).toEqual([one.identity, two.identity]);
			expect(parseRecipients(`# us\n${one.recipient}\n\n\t${two.recipient} \n`)).toEqual([
				one.recipient,
				two.recipient,
			]);
		});

		it('are refused with the number of the line, and never with the key', async () => {
			const { identity, recipient } = await generateIdentity();
			const typo = identity.slice(0, -1) + (identity.endsWith('Q') ? 'P' : 'Q');
			const cases: Array<[() => unknown, RegExp, string]> = [
				[() => parseIdentities(`# key\n\n${typo}`), /^line 3: /, 'invalid-input'],
				[() => parseIdentities(identity.toLowerCase()), /^line 1: /, 'invalid-input'],
				[() => parseIdentities(`${identity}\n${recipient}`), /^line 2: .*recipient where/, 'invalid-input'],
				[() => parseIdentities(`${identity} ${identity}`), /^line 1: /, 'invalid-input'],
				[() => parseRecipients(`${recipient}\n${identity}`), /^line 2: .*secret identity where/, 'invalid-input'],
				[() => parseRecipients(`${recipient.slice(1)}`), /^line 1: /, 'invalid-input'],
				[() => parseRecipients(' \n# nothing'), /no recipient/, 'invalid-input'],
				[() => parseIdentities(''), /no identity/, 'invalid-input'],
				[() => parseRecipients('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host'), /^line 1: SSH/, 'unsupported'],
				[() => parseIdentities('-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl'), /^line 1: SSH/, 'unsupported'],
				[
					() => parseRecipients('age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t'),
					/^line 1: .*plugin/,
					'unsupported',
				],
				[() => parseIdentities('AGE-PLUGIN-YUBIKEY-1QQPSQQQQ'), /^line 1: .*plugin/, 'unsupported'],
				[() => parseIdentities('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl'), /itself encrypted/, 'unsupported'],
			];
			for (const [action, message, code] of cases) {
				const error = thrownBy(action);
				expect(error.message).toMatch(message);
				expect(error.code).toBe(code);
				const said = `${error.message} ${error.hint} ${String(error.cause)}`.toUpperCase();
				for (const secret of [identity, typo]) expect(said).not.toContain(secret.slice(20, 40).toUpperCase());
			}
		});
	});

	it('are passphrases that cannot be guessed and can be typed', () => {
		expect(() => assertPassphrase('twelve chars')).not.toThrow();
		for (const weak of ['', 'elevenchars', 'é'.normalize('NFD').repeat(5), 'correct horse\nbattery']) {
			expect(thrownBy(() => assertPassphrase(weak)).code).toBe('invalid-input');
		}
	});

	describe('are proved by really opening what is encrypted to them', () => {
		it('for recipients, of either kind', async () => {
			const [one, two, quantum] = [
				await generateIdentity(),
				await generateIdentity(),
				await generateIdentity({ postQuantum: true }),
			];
			const both = { recipients: [one.recipient, two.recipient] };
			expect(await provesIdentity(both, { identities: [two.identity] })).toBe(true);
			expect(await provesIdentity({ recipients: [one.recipient] }, { identities: [two.identity] })).toBe(false);
			expect(await provesIdentity({ recipients: [one.recipient] }, { passphrase: 'correct horse battery' })).toBe(
				false,
			);
			expect(
				await provesIdentity({ recipients: [quantum.recipient] }, { identities: [one.identity, quantum.identity] }),
			).toBe(true);
			await expect(provesIdentity(both, {})).rejects.toMatchObject({ code: 'invalid-input' });
		});

		it('for passphrases', async () => {
			const encryption = { passphrase: 'correct horse battery' };
			expect(await provesIdentity(encryption, { passphrase: 'correct horse battery' })).toBe(true);
			expect(await provesIdentity(encryption, { passphrase: 'correct horse batterie' })).toBe(false);
		});
	});
});
