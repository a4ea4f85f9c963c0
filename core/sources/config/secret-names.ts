/** Which names say that their value is a secret. When in doubt, it is one. */
import { looksRandom } from './randomness.ts';

/** Anywhere in a name, whatever its case and separators. */
const CONTAINED =
	/passw(?:or|oo)?d|passwd|passwort|passphrase|passcode|requirepass|masterauth|secret|apikey|accesskey|privatekey|presharedkey|credential|connectionstring|bindpw|token|authkey|authorization|webhookurl|slackapiurl/;
/** As a whole word of a name. */
const WORDS: ReadonlySet<string> = new Set(
	'pass pwd pw psk pin key keys auth salt pepper jwt hmac hash hashes dsn otp totp seed mnemonic sig signature signing cookie creds bearer'.split(
		' ',
	),
);
/** Names that only look so. */
const HARMLESS =
	/^(?:(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached)pass(?:reverse|match|headers?|request.*)?|servertokens|proxycookie.*|proxyhideheader|passwordencryption|passwordauthentication|pubkeyauthentication|.*publickey|publickey|sslsessiontickets?|keepalive.*|primarykey|foreignkey|hashkeyseed|authrequest(?:set)?|authbasic|keysonly|keyval.*|keyszone|sslcookie)$/;
/** What a name ends in when its value is about a secret and is none, and what such a value looks like. */
const ABOUT: ReadonlyArray<readonly [RegExp, RegExp]> = [
	[/mail$/, /^[^\s@:]{1,64}@[\w.-]{1,200}$/],
	[
		/(?:ttl|timeout|expir\w*|expires?in|lifetime|duration|length|size|count|limit|min|max|age|days|hours|minutes|seconds|interval|rotation|version|port|iterations|rounds|cost|bits)$/,
		/^\d{1,7}(?:\.\d+)?\s?(?:[smhdwy]|ms|[kmg]i?b?|seconds?|minutes?|hours?|days?)?$/i,
	],
	[/(?:file|path|dir|directory|files|source|target|location)$/, /^[\w./~@%+:${}*-]+$/],
	[
		/(?:url|uri|endpoint|server|host|issuer|realm)$/,
		/^(?:https?:\/\/)?[a-z0-9.-]+(?::\d+)?(?:\/[a-z0-9._/-]{0,60})?$/i,
	],
	[
		/(?:name|names|type|types|method|methods|algorithm|alg|mode|format|scheme|header|field|prefix|ref|kind|namespace|provider|driver|enabled|required|policy|backend|class|usages?|plugin|user|username|account|role|column|environment|operator)$/,
		/^[A-Za-z][\w.@/ -]{0,62}$/,
	],
];
/** Values that no one takes for a secret. */
const PLAIN =
	/^(?:|true|false|yes|no|on|off|null|nil|none|~|enabled?|disabled?|required|optional|basic|digest|plain|login|bearer|md5|scram-sha-256|cram-md5|ldap|pam|peer|ident|trust|oauth2?|xoauth2|anonymous|shared|inherit|default|REMOVED-BY-BACKUP)$/i;
/** A reference to a variable or a file and nothing else; what it falls back to is looked at by itself. */
const REFERENCE =
	/^(?:(?:Bearer|Basic|Token) )?(?:\$\{[A-Za-z_][\w.]*\}|\$\$?[A-Za-z_]\w*|\$\([A-Za-z_]\w*\)|%\([a-z_]+\)s|%[A-Z_]+%|%\{[^{}]*\}|\{\{[^{}]*\}\}|\{(?:env|file|http|vars)?[$.][\w.:/-]+\}|\$__(?:file|env|vault)\{[^{}]*\}|\{%[^%]*%\}|!secret \w+)$/;
/** Where a key of TLS lies: a path of several parts, or with one of the usual endings. */
const PATH =
	/^(?:file:\/\/|~|\.{1,2})?\/[\w.@+-]+(?:\/[\w.@+-]+)+$|^[\w./@+-]+\.(?:pem|key|crt|cer|txt|asc|pub|p12|pfx|jks|json|ya?ml|conf)$/;

/** A name in lower case and without separators. */
function joined(name: string): string {
	return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** The words of a name: `clientSecret_KEY` has three. */
function wordsOf(name: string): string[] {
	return name
		.replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
		.replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
		.toLowerCase()
		.split(/[^\p{L}\p{N}]+/u);
}

/** Whether a name says that what it names is a secret, or about one. */
export function isSecretName(name: string): boolean {
	if (name.length > 200) return true;
	const text = joined(name);
	if (HARMLESS.test(text)) return false;
	if (CONTAINED.test(text)) return true;
	const words = wordsOf(name);
	// PGPASS, DBPASS, MYSQLPWD, APPKEY: written in one.
	return (
		words.some((word) => WORDS.has(word) || /(?:[a-z]pass|pwd|[a-z]psk|[a-z]key)$/.test(word)) &&
		!/^(?:by|com|tres|sur|over|mon|don|hot|tur)(?:pass|key)$/.test(text)
	);
}

/** Whether a name leaves no doubt, as `password` does and `key` does not: in free text, where many words are no names. */
export function isStrongName(name: string): boolean {
	return CONTAINED.test(joined(name)) && !HARMLESS.test(joined(name));
}

/**
 * Whether the value of a secret name is nothing to hide: empty, a switch, a reference, the path of a key, or a figure or a word where
 * the name says that one is there (`TOKEN_TTL`, `secretName`).
 */
export function isPlainValue(name: string, value: string): boolean {
	const text = value.trim();
	if (PLAIN.test(text) || REFERENCE.test(text)) return true;
	if (looksRandom(text)) return false;
	const key = joined(name);
	// Elements of lists are often called so: `key: node-role.kubernetes.io/master`.
	if (/^keys?$/.test(key) && /^[A-Za-z]+(?:[._/-][A-Za-z]+)+$/.test(text)) return true;
	if (PATH.test(text) && (/(?:key|cert|ca|crt|pem)(?:file|path)?$/.test(key) || /file|path/.test(key))) return true;
	// `password_file` ends so, and `keyfile`; a value of several words under it is no path.
	if (/webhook|slackapi|connectionstring/.test(key)) return false;
	return ABOUT.some(([ends, looks]) => ends.test(key) && looks.test(text));
}

/** How a header says what kind of secret follows, with the space behind it; empty where it says none. */
export function schemeOf(value: string): string {
	return /^(?:Basic|Bearer|Token|Digest|ApiKey|Negotiate) +(?=\S)/i.exec(value)?.[0] ?? '';
}
