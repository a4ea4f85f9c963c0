/** What may not stand in any text of a template: secrets, addresses and ids of somebody, names of nodes that do not exist. */

/** Never allowed, not even in a note. */
const SECRETS = [
	[/AGE-SECRET-KEY-(PQ-)?1/i, 'a secret key of age'],
	[/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
	[/\b(AKIA|ASIA)[0-9A-Z]{16}\b/, 'an access key of AWS'],
	[/\bxox[abeprs]-|hooks\.slack\.com\/services\//, 'a secret of Slack'],
	[/\b[a-z][a-z0-9+]*:\/\/[^\s/:@]*:[^\s/@]+@/i, 'a password in an address'],
	[/\beyJ[\w-]{10,}\.[\w-]{10,}\.|\bBearer\s+[\w.-]{16,}/, 'a token'],
];

/** Belong into the Settings node as an empty value or into a credential; a note may link to documentation. */
const ADDRESSES = [
	[/\bhttps?:\/\/(?!([\w-]+\.)*example\.(org|com|net)\b)[\w[]/i, 'an address'],
	[/[\w.+-]+@(?!([\w-]+\.)*example\.(org|com|net)\b)[\w-]+\.[a-z]{2,}/i, 'an e-mail address'],
	[/\b\d{1,3}(\.\d{1,3}){3}\b/, 'an IP address'],
	[/\bage1[a-z0-9]{20,}/, 'the public key of somebody'],
	[/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/i, 'an id'],
];

/** The three ways to refer to a node: `$('Name')`, `$node["Name"]`, `$items("Name")`. */
const REFERENCE = /\$(?:(?:items)?\(|node\[)\s*(["'`])(.+?)\1/g;

/**
 * @param {Array<{ name: string, type: string, parameters: object }>} nodes
 * @returns {string[]} problems
 */
function checkTexts(nodes) {
	const names = new Set(nodes.map(({ name }) => name));
	const problems = [];
	for (const node of nodes) {
		const say = (problem) => problems.push(`"${node.name}": ${problem}`);
		const rules = node.type === 'n8n-nodes-base.stickyNote' ? SECRETS : [...SECRETS, ...ADDRESSES];
		for (const text of textsIn(node.parameters)) {
			for (const [pattern, what] of rules) {
				const found = pattern.exec(text);
				if (found) say(`holds ${what}`);
			}
			if (/\$env\b/.test(text)) say('uses $env, which n8n blocks');
			for (const [, , name] of text.matchAll(REFERENCE)) {
				if (!names.has(name)) say(`refers to "${name}", which does not exist`);
			}
		}
		for (const locator of locatorsIn(node.parameters)) {
			if (locator.value && !String(locator.value).startsWith('='))
				say(`names "${locator.value}", which only one account has`);
		}
	}
	return problems;
}

/** Every text in a node's parameters, however deep. */
function textsIn(value) {
	if (typeof value === 'string') return [value];
	return value && typeof value === 'object' ? Object.values(value).flatMap(textsIn) : [];
}

/** Every "resource locator" (a channel, a table, a workflow) in a node's parameters. */
function locatorsIn(value) {
	if (!value || typeof value !== 'object') return [];
	return value.__rl ? [value] : Object.values(value).flatMap(locatorsIn);
}

module.exports = { checkTexts };
