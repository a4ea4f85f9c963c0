/** Whatever is done to a tree between backups, what comes out of a chain is what was there. */
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { mergeIndexes } from '../../../core/sources/files/merge';
import { type ArchiverRun, runArchiver } from '../../support/archiver-run';
import { ArchiveGroup, GNU_TAR, untar } from '../../support/archives';
import { stopClock } from '../../support/clock';
import { createFolder, removeFolder } from '../../support/folders';
import { rounds } from '../../support/soak';
import { RandomTree, treeOf } from '../../support/trees';

/** Contents that are there twice are one file in an archive. */
const TREE = { links: false };

let folder: string;
let source: string;
beforeEach(() => {
	folder = createFolder('random');
	source = path.join(folder, 'source');
	fs.mkdirSync(source);
});
afterEach(() => removeFolder(folder));
stopClock();

it('restores a chain of 50 incremental backups at any point by hand', async () => {
	const seed = Math.floor(Math.random() * 2 ** 31);
	const tree = new RandomTree(source, seed);
	tree.change(300);
	const chain: ArchiverRun[] = [];
	const every = rounds(10, 1);
	for (let number = 0; number <= 50; number++) {
		alwaysThere(number);
		chain.push(await runArchiver([source], folder, { chain }));
		if (number % every === 0) await expectRestored(source, chain, folder);
		tree.change(15);
	}
});

it('restores and verifies every backup of a chain that the verbs made', async () => {
	const seed = Math.floor(Math.random() * 2 ** 31);
	const tree = new RandomTree(source, seed);
	tree.change(300);
	const group = new ArchiveGroup(source);
	for (let number = 0; number <= rounds(5, 50); number++) {
		alwaysThere(number);
		const backup = await group.back({ type: number === 0 ? 'full' : 'incremental' });
		const restored = await group.treeByTar(backup, path.join(folder, 'restored'), TREE);
		expect({ seed, number, restored }).toEqual({ seed, number, restored: treeOf(source, TREE) });
		expect(await group.verify(backup)).toBe('ok');
		tree.change(15);
	}
});

/** One that was emptied would be refused. */
function alwaysThere(number: number): void {
	const file = path.join(source, 'always');
	fs.rmSync(file, { recursive: true, force: true });
	fs.writeFileSync(file, String(number));
}

it('restores what was there, whatever was changed, in chains of any kind', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.integer({ min: 0, max: 2 ** 31 }),
			fc.array(fc.record({ changes: fc.nat(25), base: fc.nat(4) }), { minLength: 1, maxLength: 4 }),
			async (seed, steps) => {
				const place = path.join(folder, String(seed));
				const root = path.join(place, 'source');
				fs.mkdirSync(root, { recursive: true });
				try {
					const tree = new RandomTree(root, seed);
					tree.change(60);
					const chains: ArchiverRun[][] = [[await runArchiver([root], place)]];
					await expectRestored(root, chains[0]!, place);
					for (const { changes, base } of steps) {
						tree.change(changes);
						// The newest, the full one, or one in between: others may build on it as well.
						const chain = chains[base % chains.length]!;
						const next = [...chain, await runArchiver([root], place, { chain })];
						chains.push(next);
						await expectRestored(root, next, place);
					}
				} finally {
					removeFolder(place);
				}
			},
		),
		{ numRuns: rounds(8, 1000) },
	);
});

async function expectRestored(root: string, chain: readonly ArchiverRun[], place: string): Promise<void> {
	const to = path.join(place, 'restored');
	fs.mkdirSync(to);
	for (const { tar } of chain) await untar(fs.createReadStream(tar), to, GNU_TAR);
	const expected = treeOf(root, TREE);
	expect(treeOf(path.join(to, root), TREE)).toEqual(expected);
	removeFolder(to);
	// And the indexes together have just these entries.
	const merged = [...mergeIndexes(chain.map((each) => each.index).reverse())].map((entry) => entry.path);
	const below = merged.map((each) => each.slice(root.length) || '.').sort();
	expect(below).toEqual(expected.map((line) => JSON.parse(/^"(?:\\.|[^"\\])*"/.exec(line)![0]) as string).sort());
}
