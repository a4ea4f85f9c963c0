/** What the compiled package offers to n8n: its nodes and credentials, as package.json registers them. */
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');

/**
 * Loads every registered node and credential from `dist`.
 * @returns {Array<{ kind: 'node' | 'credential', file: string, type: object }>} `file` is absolute; `type` is a node's
 *   description or a credential itself
 * @throws Error when a registered file is missing: the sources were not compiled, or its class is not named like its file
 */
function loadRegistered() {
	const { n8n } = require('../package.json');
	const load = (kind) => (relative) => {
		const file = path.join(ROOT, relative);
		const className = path.basename(relative).replace(/\.(node|credentials)\.js$/, '');
		const Class = require(file)[className];
		if (!Class) throw new Error(`${relative} does not export a class ${className}, so n8n cannot load it`);
		const instance = new Class();
		return { kind, file, type: kind === 'node' ? instance.description : instance };
	};
	return [...n8n.nodes.map(load('node')), ...n8n.credentials.map(load('credential'))];
}

module.exports = { ROOT, loadRegistered };
