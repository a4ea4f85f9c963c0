/** The workflow templates of this package, as a user imports them: the file as it is, with the credentials that its table names. */
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './paths.mjs';
import { credentialsInReadme } from './template-credentials.mjs';

/**
 * @param {import('./n8n-template.d.mts').TemplateName} name
 * @param {import('./n8n-template.d.mts').Choices} choices
 * @returns {import('./n8n-client.d.mts').Workflow}
 */
export function readTemplate(name, { credentials, credentialsOf = {}, settings = {}, fieldsOf = {}, activate = [] }) {
	const text = fs.readFileSync(path.join(ROOT, 'workflows', `${name}.json`), 'utf8');
	/** @type {import('./n8n-client.d.mts').Workflow} */
	const template = JSON.parse(text);
	const needed = credentialsInReadme(name).filter(({ node, deactivated }) => !deactivated || activate.includes(node));
	for (const { node, type } of needed) {
		if (!credentials[type]) throw new Error(`${name}: nobody has chosen a ${type} for "${node}"`);
	}
	const unused = new Set([
		...Object.keys(settings).map((setting) => `setting ${setting}`),
		...[...needed.map(({ node }) => node), ...Object.keys(credentialsOf), ...Object.keys(fieldsOf), ...activate].map(
			(node) => `node ${node}`,
		),
	]);
	const nodes = template.nodes.map((node) => {
		unused.delete(`node ${node.name}`);
		const types = needed.filter((each) => each.node === node.name).map(({ type }) => type);
		const chosen = Object.fromEntries(types.map((type) => [type, credentials[type]]));
		const parameters = { ...node.parameters, ...fieldsOf[node.name] };
		if (node.type === 'n8n-nodes-base.set') {
			for (const field of /** @type {any} */ (parameters).assignments.assignments) {
				if (unused.delete(`setting ${field.name}`)) field.value = settings[field.name];
			}
		}
		const disabled = node.disabled && !activate.includes(node.name);
		const own = { parameters, credentials: { ...chosen, ...credentialsOf[node.name] } };
		return { ...node, ...own, ...(node.disabled ? { disabled } : {}) };
	});
	if (unused.size > 0) throw new Error(`${name} has no ${[...unused].join(', ')}`);
	return { ...template, nodes };
}
