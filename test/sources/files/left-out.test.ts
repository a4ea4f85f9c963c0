/** What is left out of an archive: by patterns, tags, sizes and file systems. */
import fs from 'node:fs';
import path from 'node:path';
import { runArchiver, type RunOptions } from '../../support/archiver-run';
import { createFolder, itAsRoot, removeFolder, withDisk } from '../../support/folders';

let folder: string;
let source: string;
beforeEach(() => {
	folder = createFolder('left-out');
	source = path.join(folder, 'source');
	for (const name of [
		...[
			'index.php',
			'error.log',
			'keep.log',
			'build/out.js',
			'src/build/in.js',
			'src/app.js',
			'src/notes.tmp',
			'src/a.bak',
		],
		...[
			'cache/x',
			'deep/cache/y',
			'deep/er/cache/z',
			'ROOT.LOG',
			'#odd',
			'with space ',
			'ü/file.tmp',
			'dir.tmp/inside',
		],
	]) {
		fs.mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
		fs.writeFileSync(path.join(source, name), name);
	}
});
afterEach(() => removeFolder(folder));

const EVERYTHING: RunOptions['options'] = {};
/** Files that are stored, below the source. */
async function stored(options: RunOptions['options'], roots = [source]): Promise<string[]> {
	const { entries } = await runArchiver(roots, folder, { options });
	return entries.filter(({ type }) => type !== 'directory').map((entry) => entry.path.slice(source.length));
}

/** Of all that is stored when nothing is left out, what is not. */
async function leftOut(exclude: string[]): Promise<string[]> {
	const kept = await stored({ exclude });
	return (await stored(EVERYTHING)).filter((name) => !kept.includes(name));
}

describe('patterns are those of a .gitignore:', () => {
	it.each<[string, string[], string[]]>([
		['a name anywhere', ['*.log'], ['error.log', 'keep.log']],
		['a name with an exception', ['*.log', '!keep.log'], ['error.log']],
		['one letter that is not e or k', ['[!ek]*.log'], []],
		['names by their letters', ['[!e]*.log', 'src/[^an]*.js'], ['keep.log']],
		['a place below the root', ['/build'], ['build/out.js']],
		['a folder anywhere', ['build/'], ['build/out.js', 'src/build/in.js']],
		['a folder, and no file of that name', ['index.php/'], []],
		['a path in the middle', ['deep/cache'], ['deep/cache/y']],
		['any folders between', ['deep/**/cache'], ['deep/cache/y', 'deep/er/cache/z']],
		['everything in a folder', ['src/*'], ['src/a.bak', 'src/app.js', 'src/notes.tmp', 'src/build/in.js']],
		[
			'nothing below a folder that is out comes in again',
			['src/', '!src/app.js'],
			['src/a.bak', 'src/app.js', 'src/notes.tmp', 'src/build/in.js'],
		],
		['upper and lower case are not the same', ['root.log', 'CACHE'], []],
		['a name that begins with a number sign', ['\\#odd'], ['#odd']],
		['comments and empty lines', ['# *.log', '', '   '], []],
		['a name that is not ASCII', ['ü/'], ['\xc3\xbc/file.tmp']],
		['classes of characters', ['src/[a-b].ba[jk]'], ['src/a.bak']],
	])('%s', async (_, exclude, expected) => {
		expect((await leftOut(exclude)).sort()).toEqual([...expected].sort());
	});

	it('relative to each root', async () => {
		const roots = [path.join(source, 'src'), path.join(source, 'deep')];
		expect(await stored({ exclude: ['/cache', '/build'] }, roots)).toEqual([
			'deep/er/cache/z',
			'src/a.bak',
			'src/app.js',
			'src/notes.tmp',
		]);
	});

	it('and how much they leave out is counted', async () => {
		const { summary } = await runArchiver([source], folder, { options: { exclude: ['*.log', 'build'] } });
		expect(summary).toMatchObject({ remarks: { 'left-out': 4 }, named: [], incomplete: false });
	});
});

describe('a folder that asks for it', () => {
	it.each(['.nobackup', 'CACHEDIR.TAG'])('with %s is left out, but for the tag itself', async (tag) => {
		fs.writeFileSync(path.join(source, 'deep', tag), 'Signature: 8a477f597d28d172789f06886806bc55');
		const kept = await stored({});
		expect(kept.filter((name) => name.startsWith('deep'))).toEqual([`deep/${tag}`]);
		expect(kept).toContain('src/app.js');
		expect((await stored({ skipTagged: false })).filter((name) => name.startsWith('deep'))).toHaveLength(3);
	});
});

it('files that are larger than a limit are left out and named', async () => {
	fs.writeFileSync(path.join(source, 'just'), Buffer.alloc(100));
	fs.writeFileSync(path.join(source, 'more'), Buffer.alloc(101));
	const { summary, entries } = await runArchiver([source], folder, { options: { maxFileBytes: 100 } });
	expect(summary).toMatchObject({ remarks: { 'too-large': 1 }, incomplete: false });
	expect(summary.named).toEqual([{ path: path.join(source, 'more').slice(1), why: 'too-large' }]);
	expect(entries.map((entry) => path.basename(entry.path))).toContain('just');
});

itAsRoot('what is on another file system is left out when asked for, and named', async () => {
	const disk = path.join(source, 'deep', 'disk');
	fs.mkdirSync(disk);
	await withDisk(disk, '1m', async () => {
		fs.writeFileSync(path.join(disk, 'file'), 'there');
		expect(await stored({})).toContain('deep/disk/file');
		expect(await stored({ oneFileSystem: true })).not.toContain('deep/disk/file');
		const { summary } = await runArchiver([source], folder, { options: { oneFileSystem: true } });
		expect(summary.named).toEqual([{ path: disk.slice(1), why: 'other-file-system' }]);
		// A root that is a disk of its own is one file system.
		expect(await stored({ oneFileSystem: true }, [disk])).toEqual(['deep/disk/file']);
	});
});
