/** Secrets that are known by their form, whatever their name: tokens of well-known services, hashes of passwords, keys, addresses. */
import { randomWords } from './randomness.ts';
import { type Edit, REMOVED } from './passage.ts';

/** What is found by its form. The whole match is replaced, or its group `secret`. Every repetition has an end, so that time is linear. */
const SHAPES: ReadonlyArray<readonly [string, RegExp]> = [
	[
		'private key',
		/-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1)-----[\s\S]{0,65536}?-----END [A-Za-z0-9 ]{1,60}-----/dg,
	],
	[
		'private key',
		/LS0tLS1CRUdJTi[A-Za-z0-9+/]{0,40}(?:UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW)[A-Za-z0-9+/=]{1,65536}/dg,
	],
	['age identity', /AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20,4000}/dgi],
	[
		'token',
		/\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|gl(?:pat|dt|rt|ptt|cbt|soat|ft)-[\w-]{16,255}|xox[a-z]-[\w-]{8,255}|xapp-[\w-]{8,255}|(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{12,128}|AIza[\w-]{30,60}|ya29\.[\w-]{20,512}|[srp]k_(?:live|test)_\w{8,255}|whsec_[\w+/=]{8,255}|sk-[\w-]{16,255}|SG\.[\w-]{10,100}\.[\w-]{10,100}|dop_v1_\w{20,128}|hvs\.[\w-]{16,255}|s\.[A-Za-z0-9]{24}\b|npm_\w{20,128}|pypi-[\w-]{16,512}|dckr_pat_[\w-]{16,128}|hf_\w{20,128}|shp(?:at|ca|pa|ss)_\w{16,128}|key-[0-9a-f]{32}|SK[0-9a-f]{32}|tskey-[\w-]{10,128}|glsa_\w{20,128}|eyJrIjoi[\w+/=-]{10,512}|sq0\w{3}-[\w-]{16,128}|n8n_api_\w{16,512}|PMAK-[\w-]{16,128}|lin_api_\w{16,128}|xkeysib-[\w-]{16,128})/dg,
	],
	['token', /(?<![\w-])eyJ[\w-]{8,8192}\.eyJ[\w-]{4,8192}(?:\.[\w-]{0,8192})?/dg],
	['token', /\b\d{8,12}:AA[\w-]{30,40}/dg],
	[
		'webhook',
		/https:\/\/(?:hooks\.slack\.com\/(?:services|workflows|triggers)|discord(?:app)?\.com\/api\/webhooks|[\w-]{1,60}\.webhook\.office\.com|outlook\.office\.com\/webhook|hc-ping\.com)\/(?<secret>[\w/@-]{4,400})/dg,
	],
	[
		'password hash',
		/\$\$?(?:1|2[abxy]?|5|6|7|y|gy|sha1|apr1|argon2(?:id?|d)|scrypt|pbkdf2[\w-]{0,20}|P|H)\$[\w./+$=,-]{8,400}/dg,
	],
	[
		'password hash',
		/\{(?:S?SHA(?:-?\d{3})?|S?MD5|CRYPT|ARGON2\w{0,3}|BLF-CRYPT|SHA\d{3}-CRYPT|PLAIN|PBKDF2[\w-]{0,10})(?:\.\w{1,6})?\}(?<secret>[^\s"',;]{4,400})/dgi,
	],
	['password hash', /SCRAM-SHA-(?:1|256)\$\d{1,9}:[\w+/=]{1,200}\$[\w+/=]{1,200}:[\w+/=]{1,200}/dg],
	['password hash', /\b(?:pbkdf2_sha\d{1,3}|bcrypt_sha256|argon2)\$[\w./+$=,-]{12,400}/dg],
	['password hash', /\bmd5[0-9a-f]{32}\b/dg],
	['password hash', /\*[0-9A-F]{40}\b/dg],
	// user:PASSWORD@host, also with an @ in the password: the last one before the host counts.
	[
		'password in an address',
		/[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@"'<>?#]{0,200}:(?<secret>(?!\$\{?[A-Z_]+\}?@)[^\s"'<>]{1,400})@(?=[\w.$[{(-])/dgi,
	],
	['token in an address', /[a-z][a-z0-9+.-]{0,30}:\/\/(?<secret>[A-Za-z0-9_-]{20,200})@(?=[\w.-])/dgi],
	[
		'credentials',
		/\b(?:Basic|Bearer|Token|Digest|ApiKey|Negotiate)[ \t]{1,4}(?<secret>(?=[\w.~+/=-]{0,400}[\d=+/_-])[\w.~+/=-]{6,4096})/dgi,
	],
];

/** All that is known by its form in a text, and words that look random. */
export function shapesIn(text: string): Edit[] {
	const found = SHAPES.flatMap(([where, shape]) =>
		[...text.matchAll(shape)].map((match) => {
			const [start, end] = match.indices!.groups?.secret ?? match.indices![0]!;
			return { start, end, text: REMOVED, where };
		}),
	).filter(({ start, end }) => !text.slice(start, end).includes(REMOVED));
	return [...found, ...randomWords(text).map((word) => ({ ...word, text: REMOVED, where: 'random word' }))];
}

/** Whether a private key begins in a text and does not end: nobody can say what belongs to it. */
export function hasCutKey(text: string): boolean {
	const begins = text.match(/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g)?.length ?? 0;
	return begins > (text.match(/-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g)?.length ?? 0);
}
