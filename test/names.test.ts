/** One word for one thing: an exported name of core means the same wherever it stands. */
import fs from 'node:fs';
import path from 'node:path';

const CORE = path.join(__dirname, '../core');
const EXPORT = /^export (?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|enum) (\w+)/gm;

/** What each kind of source says of itself, under the names of the contract (core/sources/source.ts). */
const OF_EVERY_KIND = ['formatContents', 'readContents'];

it('no two files of core export the same name', () => {
	const files = new Map<string, Set<string>>();
	for (const file of fs.readdirSync(CORE, { recursive: true, encoding: 'utf8' })) {
		if (!file.endsWith('.ts')) continue;
		for (const [, name] of fs.readFileSync(path.join(CORE, file), 'utf8').matchAll(EXPORT))
			files.set(name!, (files.get(name!) ?? new Set()).add(file));
	}
	expect(files.size).toBeGreaterThan(1000);
	const twice = [...files].filter(([name, of]) => of.size > 1 && !OF_EVERY_KIND.includes(name));
	expect(Object.fromEntries(twice.map(([name, of]) => [name, [...of].sort()]))).toEqual({});
});

it('what a benchmark takes of the built files is what core exports', () => {
	const bench = path.join(__dirname, '../bench');
	const taken = fs
		.readdirSync(bench)
		.filter((file) => file.endsWith('.cjs'))
		.flatMap((file) => [
			...fs
				.readFileSync(path.join(bench, file), 'utf8')
				.matchAll(/const \{([^}]+)\} = require\('\.\.\/dist\/core\/(.+)\.js'\)/g),
		])
		.flatMap(([, names, file]) => names!.split(',').map((name) => ({ name: name.trim(), file: `${file}.ts` })));
	expect(taken.length).toBeGreaterThan(10);
	const missing = taken.filter(({ name, file }) => {
		const text = fs.readFileSync(path.join(CORE, file), 'utf8');
		return ![...text.matchAll(EXPORT)].some(([, exported]) => exported === name);
	});
	expect(missing).toEqual([]);
});
