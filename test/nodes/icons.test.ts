/** The checks of icons, and that ours pass them. */
import fs from 'node:fs';
import path from 'node:path';
import { checkIcon, iconFiles } from '../../gulp/icons.js';

const ICONS = path.join(__dirname, '../../nodes/icons');
const svg = (content: string, box = '0 0 60 60') =>
	`<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}">${content}</svg>`;

it.each(fs.readdirSync(ICONS))('finds nothing wrong with %s', (file) => {
	expect(checkIcon(fs.readFileSync(path.join(ICONS, file), 'utf8'))).toEqual([]);
});

it('allows references inside of the drawing', () => {
	expect(checkIcon(svg('<mask id="m"/><g mask="url(#m)"/><use href="#m"/>'))).toEqual([]);
});

describe('an icon fails that', () => {
	it.each([
		['runs a script', svg('<script>alert(1)</script>'), 'holds a script'],
		['runs a script on an event', svg('<path onload="alert(1)"/>'), 'holds a script'],
		['embeds a picture', svg('<image href="#x"/>'), 'embeds something other than shapes'],
		['loads a file', svg('<use href="https://example.org/x.svg#a"/>'), 'refers to something outside of the file'],
		[
			'loads a style',
			svg('<path style="fill:url(https://example.org/x)"/>'),
			'refers to something outside of the file',
		],
		['is not square', svg('', '0 0 60 40'), 'is not square but 60 × 40'],
		['has no size', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'has no viewBox, so it cannot be scaled'],
		['is large', svg(' '.repeat(4096)), expect.stringMatching(/at most 4096/)],
	])('%s', (_, text, problem) => {
		expect(checkIcon(text)).toEqual([problem]);
	});
});

it('asks for a light and a dark icon that differ', () => {
	const at = (icon: unknown) => iconFiles({ file: '/p/dist/nodes/A/A.node.js', type: { name: 'a', icon } });
	expect(at('file:a.svg').problems).toEqual(['a needs a light and a dark icon']);
	expect(at({ light: 'file:a.svg' }).problems).toEqual(['a needs a light and a dark icon']);
	expect(at({ light: 'file:a.svg', dark: 'file:a.svg' }).problems).toEqual(['a has the same icon for light and dark']);
	expect(at({ light: 'file:../icons/a.svg', dark: 'file:../icons/a.dark.svg' })).toEqual({
		files: ['/p/dist/nodes/icons/a.svg', '/p/dist/nodes/icons/a.dark.svg'],
		problems: [],
	});
});
