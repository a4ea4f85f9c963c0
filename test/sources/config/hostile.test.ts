/** Files that nobody writes by accident, and such that only look so. */
import fc from 'fast-check';
import { parse as parseYaml } from 'yaml';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import { MAX_FILE_BYTES, REMOVED, sanitise, secretNames } from '../../../core/sources/config/sanitise';
import { rounds } from '../../support/soak';

const SECRET = 'h0rse-battery-Staple';

const RUNS = { numRuns: rounds(100, 2_000) };

function safe(path: string, text: string | Buffer): string {
	const done = sanitise({ path, bytes: Buffer.from(text as string) });
	if (done.leftOut !== undefined) throw new Error(done.leftOut);
	return done.bytes.toString('latin1');
}

function reason(path: string, bytes: Buffer | string): string | undefined {
	return sanitise({ path, bytes: Buffer.from(bytes as string) }).leftOut;
}

describe('what is left out, with its reason', () => {
	const KEY = `-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----\n`;
	it.each([
		['50 MB', 'a.yml', Buffer.alloc(50 * 1024 * 1024, 'a: b\n'), 'is larger than 512 KiB'],
		['NULs', '.env', 'PASSWORD=a\0b', 'is no text'],
		['UTF-16', 'a.ini', Buffer.from('\ufeffpassword=x', 'utf16le'), 'is no text'],
		['YAML that does not parse', 'a.yml', 'a: [1,\nb: {{ x }}: y', 'is no YAML that can be read'],
		['JSON that does not parse', 'a.json', '{"password": "x', 'is no JSON that can be read'],
		['TOML that does not parse', 'a.toml', 'password = x y', 'is no TOML that can be read'],
		['a quote without an end', '.env', 'A=1\nPASSWORD="abc\ndef\n', 'has a quote without an end'],
		['deep JSON', 'a.json', '['.repeat(100_000), 'is nested too deeply'],
		[
			'deep YAML',
			'a.yml',
			`${Array.from({ length: 150 }, (_, n) => `${' '.repeat(n)}a:`).join('\n')} 1`,
			'is nested too deeply',
		],
		['a private key', 'id_ed25519', KEY, 'is a private key'],
		['a private key under another name', 'notes.txt', `# mine\n${KEY}`, 'is a private key'],
		['a key that is cut off', 'a.txt', KEY.slice(0, 40), 'has a private key without an end'],
		['a PuTTY key', 'a.ppk', 'PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAA\n', 'is a private key'],
		['an age identity', 'key.txt', `# public key: x\nAGE-SECRET-KEY-1${'Q'.repeat(58)}\n`, 'is a private key'],
	])('%s', (_, path, bytes, why) => {
		expect(reason(path, bytes)).toBe(why);
	});
});

it('a key in a file of certificates goes, the certificates stay', () => {
	const certificate = '-----BEGIN CERTIFICATE-----\nMIIB8TCCAZegAwIBAgIUQ1w2Xk3vZl9uQ8r7\n-----END CERTIFICATE-----\n';
	const key = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----';
	expect(safe('haproxy.pem', `${certificate}${key}\n`)).toContain(`\n${REMOVED}\n`);
	expect(safe('haproxy.pem', `${certificate}${key}\n`)).not.toContain('MHcCAQEE');
});

it('names the keys of secrets, never their values', () => {
	expect(
		secretNames(
			sanitise({
				path: 'compose.yml',
				bytes: Buffer.from(`services: {db: {environment: {POSTGRES_PASSWORD: ${SECRET}}}}`),
			}),
		),
	).toEqual(['services.db.environment.POSTGRES_PASSWORD']);
	expect(secretNames(sanitise({ path: '.env', bytes: Buffer.from('A=1\n') }))).toEqual([]);
	expect(secretNames(sanitise({ path: '.env', bytes: Buffer.from('A=\0') }))).toBeNull();
});

it('keeps line ends, byte order marks and bytes that are not UTF-8', () => {
	expect(safe('.env', `\ufeffPASSWORD=${SECRET}\r\nA=1\r\n`)).toBe(
		Buffer.from(`\ufeffPASSWORD=${REMOVED}\r\nA=1\r\n`).toString('latin1'),
	);
	expect(safe('a.yml', `\ufeffpassword: ${SECRET}\r\nb: 1 # c\r\n`)).toBe(
		Buffer.from(`\ufeffpassword: ${REMOVED}\r\nb: 1 # c\r\n`).toString('latin1'),
	);
	for (const path of ['a.json', 'b.json']) {
		expect(safe(path, `\ufeff{"password":"${SECRET}"}`)).toBe(
			Buffer.from(`\ufeff{"password":"${REMOVED}"}`).toString('latin1'),
		);
	}
	expect(safe('a.toml', `\ufeffpassword = "${SECRET}"\r\n`)).toContain(`password = "${REMOVED}"\r\n`);
	expect(safe('a.ini', Buffer.from(`[a]\nname=Jörg\npassword=gehäim${SECRET}\n`, 'latin1'))).toBe(
		`[a]\nname=Jörg\npassword=${REMOVED}\n`,
	);
});

it('a value that is known to be secret goes wherever it stands', () => {
	expect(safe('a.yml', `# was ${SECRET}\npassword: ${SECRET}\nurl: x/${SECRET}/y\n`)).toBe(
		`# was ${REMOVED}\npassword: ${REMOVED}\nurl: x/${REMOVED}/y\n`,
	);
});

it('aliases lead to what they stand for', () => {
	expect(safe('a.yml', `x: &v ${SECRET}\ny: &m {a: one, b: two}\npassword: *v\ncredentials: *m\n`)).toBe(
		`x: &v ${REMOVED}\ny: &m {a: ${REMOVED}, b: ${REMOVED}}\npassword: *v\ncredentials: *m\n`,
	);
});

/** A text again and again, in lines as long as they may be, up to the largest file. */
function lines(text: string): string {
	const line = `${text.repeat(Math.floor(15_000 / text.length))}\n`;
	return line.repeat(Math.floor(MAX_FILE_BYTES / line.length));
}

/** What takes a parser or an expression long, each up to the largest file. */
const SLOW: Array<[string, string, string]> = [
	[
		'a bomb of aliases',
		'a.yml',
		`a0: &a0 [x]\n${Array.from({ length: 60 }, (_, n) => `password${n}: &a${n + 1} [${`*a${n},`.repeat(9)}]`).join('\n')}\n`,
	],
	['many aliases', 'a.yml', `a: &a x\nl: [${'*a,'.repeat(30_000)}]\n`],
	['one long line', 'a.conf', lines('a')],
	['many schemes', 'a.conf', lines('a://:')],
	['many names', 'a.conf', lines('password=')],
	['many quotes', 'a.conf', lines(`password="`)],
	['many tags', 'a.xml', lines('<a x')],
	['many tokens that are none', 'a.conf', lines('eyJ-')],
	['many flags', 'a.conf', lines('--password ')],
	['many commands', 'a.conf', lines('mysql curl ')],
	['spaces', 'a.conf', lines(' ')],
	['backslashes', 'a.ini', `password=${'\\\n'.repeat(MAX_FILE_BYTES / 2 - 10)}`],
	['colons', '.pgpass', lines('a:\\')],
	['blocks', 'Caddyfile', lines('basic_auth {')],
	['a long list', 'a.json', `{"args":[${'"--a",'.repeat(60_000)}1]}`],
];

it('a line that is too long to be looked at is left out', () => {
	expect(reason('a.conf', 'password='.repeat(5000))).toBe('has a line of more than 16,000 bytes');
});

it.each(SLOW)('%s takes seconds at most', (_, path, text) => {
	const start = performance.now();
	sanitise({ path, bytes: Buffer.from(text) });
	expect(performance.now() - start).toBeLessThan(20_000);
});

/** Long enough not to be a part of what must stay, and of any characters that a format can hold in a quoted value. */
const value = fc.string({ minLength: 5, maxLength: 30, unit: 'grapheme-ascii' }).map((text) => `§${text}§`);
const word = fc.stringMatching(/^[a-z0-9!%&*+./?@^_~-]{6,30}$/).map((text) => `x${text}`);
const name = fc.constantFrom(
	'password',
	'DB_PASSWORD',
	'apiKey',
	'client-secret',
	'auth_token',
	'smtpPass',
	'PRIVATE_KEY',
	'jwt_secret',
);

describe('no value under a secret name survives, and the rest means the same', () => {
	const gone = (key: string) => ({ before: 1, [key]: REMOVED, after: 'it' });
	it('in YAML', () => {
		fc.assert(
			fc.property(name, value, fc.constantFrom('double', 'single', 'block'), (key, secret, style) => {
				const written = {
					double: JSON.stringify(secret),
					single: `'${secret.replaceAll("'", "''")}'`,
					block: `|-\n  ${secret}`,
				}[style];
				const shown = safe('a.yml', `before: 1\n${key}: ${written}\nafter: it\n`);
				expect(parseYaml(shown)).toEqual(gone(key));
			}),
			RUNS,
		);
	});
	it('in JSON', () => {
		fc.assert(
			fc.property(name, value, (key, secret) => {
				expect(JSON.parse(safe('a.json', JSON.stringify({ before: 1, [key]: secret, after: 'it' })))).toEqual(
					gone(key),
				);
			}),
			RUNS,
		);
	});
	it('in TOML', () => {
		fc.assert(
			fc.property(name, value, (key, secret) => {
				const shown = safe('a.toml', `before = 1\n${key} = ${JSON.stringify(secret)}\nafter = "it"\n`);
				expect(getStaticTOMLValue(parseTOML(shown))).toEqual(gone(key));
			}),
			RUNS,
		);
	});
	it('in env files and INI', () => {
		fc.assert(
			fc.property(
				name,
				word,
				fc.constantFrom('.env', 'a.ini'),
				fc.constantFrom('', '"', "'"),
				(key, secret, path, quote) => {
					const shown = safe(path, `before=1\n${key}=${quote}${secret}${quote}\nafter=it\n`);
					expect(shown).toBe(`before=1\n${key}=${quote}${REMOVED}${quote}\nafter=it\n`);
				},
			),
			RUNS,
		);
	});
	it('in text of any kind', () => {
		fc.assert(
			fc.property(
				name,
				word,
				fc.constantFrom(' = ', '=', ': ', ' => '),
				fc.constantFrom('"', "'"),
				(key, secret, sign, quote) => {
					expect(safe('a.unknown', `before\n${key}${sign}${quote}${secret}${quote}\nafter\n`)).toBe(
						`before\n${key}${sign}${quote}${REMOVED}${quote}\nafter\n`,
					);
				},
			),
			RUNS,
		);
	});
});
