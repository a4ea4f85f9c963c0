/** docs/adding-a-source.md: what it quotes and names is as it says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Document, PROJECT } from '../support/document';

const page = new Document('docs/adding-a-source.md');
const read = (file: string) => readFileSync(join(PROJECT, file), 'utf8');
const withoutIndent = (text: string) => text.replace(/^\s+/gm, '');

describe('docs/adding-a-source.md', () => {
	it('quotes the kind of the tests word by word', () => {
		const kind = withoutIndent(read('test/support/note-kind.ts'));
		const quotes = [...page.text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
		expect(quotes.length).toBeGreaterThan(0);
		for (const quote of quotes) expect(kind).toContain(withoutIndent(quote));
	});

	it('names everything that a kind of source must have', () => {
		const contract = read('core/sources/source.ts');
		const membersOf = (name: string) => {
			const body = new RegExp(`^export interface ${name}\\b[^{]*\\{([\\s\\S]*?)^\\}`, 'm').exec(contract)![1]!;
			return [...body.matchAll(/^\t(?:readonly )?(\w+)\??[:(]/gm)].map((match) => match[1]!);
		};
		const members = ['Source', 'OpenSource', 'SourceKind'].flatMap(membersOf);
		expect(members).toEqual(expect.arrayContaining(['open', 'parts', 'finish', 'checkData', 'withoutNames']));
		for (const member of members) expect(page.text).toMatch(new RegExp(`\\b${member}\\b`));
		for (const piece of ['Source', 'SourceKind', 'Restorer', 'Drill']) expect(page.text).toContain(`| \`${piece}\` `);
	});

	it('is linked to where somebody looks for it, and links only to files that exist', () => {
		expect(page.brokenLinks()).toEqual([]);
		expect(read('CONTRIBUTING.md')).toContain('](docs/adding-a-source.md)');
		expect(read('docs/design.md')).toContain('](adding-a-source.md)');
	});
});
