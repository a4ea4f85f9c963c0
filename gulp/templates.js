/**
 * The rules a workflow template has to keep: n8n's own for templates, and ours, so that an imported workflow runs on a
 * stock n8n, holds nothing of the machine it was made on, and explains itself on the canvas.
 */
const coreNodes = require('./core-nodes');
const { preselectedTrigger } = require('./preselected-trigger');
const { checkTexts } = require('./template-texts');

const STICKY = 'n8n-nodes-base.stickyNote';
const SETTINGS = 'n8n-nodes-base.set';
const YELLOW = 1;
const WHITE = 7;

/** Everything the editor and the database add to a workflow, and that means nothing elsewhere. */
const FOREIGN_FIELDS = ['id', 'versionId', 'activeVersionId', 'createdAt', 'updatedAt', 'shared', 'owner', 'tags'];

/** Names that keep their capitals in a title in sentence case. */
const PROPER_NAMES = /^(PostgreSQL|S3|MinIO|Slack|SQL|n8n|PGlite|Prometheus|API|SFTP|RPO|RTO)$/;
const TITLE_VERBS = /^(Archive|Back|Check|Clean|Copy|Generate|Monitor|Prove|Report|Restore|Send|Verify|Watch) /;

const words = (text) => text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
const isSticky = (node) => node.type === STICKY;

/**
 * What is wrong with a template; empty when nothing is.
 * @param {object} template the parsed JSON file
 * @param {Array<{ type: string, versions: number[], name: string, parameters: string[] }>} ourNodes
 *   the nodes of this package: full type, versions, default name, names of the fields
 * @returns {string[]}
 */
function checkTemplate(template, ourNodes) {
	const nodes = template.nodes ?? [];
	return [
		...checkFields(template, nodes),
		...checkTitle(template.name ?? ''),
		...checkStickies(nodes),
		...nodes.flatMap((node) => checkNode(node, ourNodes)),
		...checkNames(nodes),
		...checkSettingsNode(nodes),
		...checkConnections(template.connections ?? {}, nodes),
		...checkButton(nodes),
		...checkTexts(nodes),
	];
}

function checkFields(template, nodes) {
	const problems = FOREIGN_FIELDS.filter((field) => field in template).map((field) => `remove "${field}"`);
	if (template.meta?.instanceId) problems.push('remove "meta.instanceId"');
	if (Object.keys(template.pinData ?? {}).length > 0) problems.push('remove "pinData"');
	if (template.active) problems.push('a template is not active');
	if (template.settings?.executionOrder !== 'v1') problems.push('"settings.executionOrder" must be "v1"');
	for (const node of nodes) {
		if (node.credentials) problems.push(`"${node.name}": remove "credentials"`);
		if (node.id) problems.push(`"${node.name}": remove "id"`);
	}
	return problems;
}

/** Verb + thing + to or from where, in sentence case. */
function checkTitle(title) {
	const problems = [];
	if (!TITLE_VERBS.test(title)) problems.push(`the title "${title}" does not start with a known verb`);
	if (!/ (to|from) /.test(title)) problems.push(`the title "${title}" does not say "to" or "from" where`);
	const shouting = title.split(/[\s,]+/).slice(1);
	const wrong = shouting.filter((word) => /^\p{Lu}/u.test(word) && !PROPER_NAMES.test(word));
	if (wrong.length > 0) problems.push(`the title is not in sentence case: ${wrong.join(', ')}`);
	return problems;
}

/** One yellow overview in the top left corner, white notes for the sections. */
function checkStickies(nodes) {
	const problems = [];
	const stickies = nodes.filter(isSticky);
	const [overview, ...more] = stickies.filter(({ parameters }) => (parameters.color ?? YELLOW) === YELLOW);
	if (!overview || more.length > 0) return ['there must be exactly one yellow sticky note (color 1), the overview'];
	const { content } = overview.parameters;
	const count = words(content);
	if (count < 100 || count > 300) problems.push(`the overview has ${count} words; 100 to 300 are right`);
	for (const heading of ['### How it works', '### Setup']) {
		if (!content.split('\n').includes(heading)) problems.push(`the overview has no line "${heading}"`);
	}
	const [x, y] = overview.position;
	if (nodes.some(({ position }) => position[0] < x || position[1] < y)) {
		problems.push('the overview is not in the top left corner');
	}
	for (const { name, parameters } of stickies.filter((sticky) => sticky !== overview)) {
		if (parameters.color !== WHITE) problems.push(`"${name}": the notes of sections are white (color 7)`);
		if (words(parameters.content) >= 50) problems.push(`"${name}": the notes of sections have less than 50 words`);
	}
	return problems;
}

/** A node every n8n with this package has, in its newest version, with a name that says its purpose. */
function checkNode(node, ourNodes) {
	const ours = ourNodes.find(({ type }) => type === node.type);
	const known = ours ?? coreNodes[/^n8n-nodes-base\.(\w+)$/.exec(node.type)?.[1] ?? ''];
	if (!known) return [`"${node.name}": templates may not use ${node.type}`];
	const problems = [];
	const versions = ours ? ours.versions : [known.version];
	if (!versions.includes(node.typeVersion)) {
		problems.push(`"${node.name}": ${node.type} has no version ${node.typeVersion}, use ${versions.at(-1)}`);
	}
	for (const field of ours ? Object.keys(node.parameters) : []) {
		if (!ours.parameters.includes(field)) problems.push(`"${node.name}": ${node.type} has no field "${field}"`);
	}
	if (!isSticky(node) && plain(node.name) === plain(known.name)) {
		problems.push(`"${node.name}": name the node by its purpose`);
	}
	if (/\.(webhook|formTrigger)$/.test(node.type)) {
		if ((node.parameters.authentication ?? 'none') === 'none') {
			problems.push(`"${node.name}": whoever knows the address could start it; set an authentication`);
		}
		// Without it, n8n puts the ids of workflow and node into the address when a program imports the template.
		if (!node.webhookId) problems.push(`"${node.name}": set "webhookId" to a word, so that the address is its path`);
	}
	return problems;
}

/** "Edit Fields", "edit fields1" and "EditFields" are one name. */
function plain(name) {
	return name.toLowerCase().replace(/\d+$|[^\p{L}\d]/gu, '');
}

function checkNames(nodes) {
	const names = nodes.map(({ name }) => name);
	const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
	return [...twice].map((name) => `two nodes are named "${name}"`);
}

/** In a template that one sees at a glance, what a user may change is in the nodes that it is for. */
const SMALL = 8;

function checkSettingsNode(nodes) {
	const working = nodes.filter((node) => !isSticky(node));
	const hasNothingToChange = working.every((node) => Object.keys(node.parameters).length === 0);
	if (working.length <= SMALL && working.every(({ type }) => type !== SETTINGS)) return [];
	return nodes.filter(({ type }) => type === SETTINGS).length === (hasNothingToChange ? 0 : 1)
		? []
		: ['what a user may change must be in exactly one Edit Fields node'];
}

/** Every connection joins two nodes that exist, and every node is reached from a trigger. */
function checkConnections(connections, nodes) {
	const problems = [];
	const byName = new Map(nodes.map((node) => [node.name, node]));
	const reached = new Set();
	for (const [source, kinds] of Object.entries(connections)) {
		if (!byName.has(source)) problems.push(`a connection starts at "${source}", which does not exist`);
		for (const { node: target } of Object.values(kinds).flat(2).filter(Boolean)) {
			reached.add(target);
			if (!byName.has(target)) problems.push(`"${source}" is connected to "${target}", which does not exist`);
		}
	}
	for (const node of nodes) {
		const starts = isSticky(node) || /(Trigger|\.webhook)$/.test(node.type);
		if (!starts && !reached.has(node.name)) problems.push(`"${node.name}" is not connected to anything before it`);
	}
	return problems;
}

/** Who imports a template presses "Execute workflow" first. */
function checkButton(nodes) {
	const chosen = preselectedTrigger(nodes);
	if (!chosen) return ['no active trigger: "Execute workflow" has nowhere to begin'];
	return chosen.type === 'n8n-nodes-base.webhook'
		? [`"${chosen.name}": "Execute workflow" would wait for a request here; deactivate it`]
		: [];
}

module.exports = { checkTemplate };
