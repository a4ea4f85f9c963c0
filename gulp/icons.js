/** Checks of the icons that nodes and credentials show in n8n, which draws them at 16 to 60 pixels on light and dark. */
const path = require('node:path');

/** n8n sends an icon to every browser that opens the list of nodes. */
const LARGEST_BYTES = 4096;

const FORBIDDEN = [
	[/<script\b|\son[a-z]+\s*=|javascript:/i, 'holds a script'],
	[/<(image|foreignObject|iframe)\b/i, 'embeds something other than shapes'],
	[/\b(?:xlink:)?href\s*=\s*["'](?!#)|url\(\s*(?!["']?#)|@import|<!ENTITY/i, 'refers to something outside of the file'],
];

/**
 * What is wrong with the text of an SVG icon; empty when nothing is.
 * @param {string} svg
 * @returns {string[]}
 */
function checkIcon(svg) {
	const problems = FORBIDDEN.filter(([pattern]) => pattern.test(svg)).map(([, problem]) => problem);
	const bytes = Buffer.byteLength(svg);
	if (bytes > LARGEST_BYTES) problems.push(`has ${bytes} bytes; at most ${LARGEST_BYTES} are fine`);
	const [, , width, height] = (/<svg\b[^>]*\sviewBox="([^"]*)"/.exec(svg)?.[1] ?? '').split(/[\s,]+/).map(Number);
	if (!(width > 0)) problems.push('has no viewBox, so it cannot be scaled');
	else if (width !== height) problems.push(`is not square but ${width} × ${height}`);
	return problems;
}

/**
 * The icon files that a node or credential names.
 * @param {{ file: string, type: { name: string, icon?: unknown } }} registered
 * @returns {{ files: string[], problems: string[] }} absolute paths next to the compiled class
 */
function iconFiles({ file, type }) {
	const { light, dark } = typeof type.icon === 'object' && type.icon !== null ? type.icon : {};
	if (!light || !dark) return { files: [], problems: [`${type.name} needs a light and a dark icon`] };
	if (light === dark) return { files: [], problems: [`${type.name} has the same icon for light and dark`] };
	return {
		files: [light, dark].map((icon) => path.resolve(path.dirname(file), icon.replace(/^file:/, ''))),
		problems: [],
	};
}

module.exports = { checkIcon, iconFiles };
