/** How objects are named in an archive: no two alike, none a folder of another, none that leads anywhere else. */
import { ObjectNames } from '../../../core/sources/bucket/names';
import { formatEntry, isSafePath, parseEntry } from '../../../core/sources/files/entry';

/** Paths of objects, whose names are given in any order. */
function pathsOf(keys: readonly string[]): Record<string, string> {
	const names = new ObjectNames();
	const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
	return Object.fromEntries(sorted.map((key) => [key, Buffer.from(names.pathOf(key), 'latin1').toString()]));
}

it('leaves ordinary names as they are', () => {
	const keys = ['a.txt', 'photos/2026/ü 1.jpg', 'x y/(1).pdf', '-rf', 'back\\slash', '.hidden', '...'];
	expect(pathsOf(keys)).toEqual(Object.fromEntries(keys.map((key) => [key, key])));
});

it('says others so that they lead nowhere', () => {
	expect(pathsOf(['../x', '/etc/passwd', 'a//b', 'a/', '.', '50%', 'a\nb', 'x/..'])).toEqual({
		...{ '../x': '%2E%2E/x', '/etc/passwd': '%/etc/passwd', 'a//b': 'a/%%/b', 'a/': 'a/%', '.': '%2E' },
		...{ '50%': '50%25', 'a\nb': 'a%0Ab', 'x/..': 'x/%2E%2E' },
	});
});

it('gives a folder another name where an object is called like it, also far behind it', () => {
	const between = Array.from({ length: 50 }, (_, number) => `a-${number}`);
	const paths = pathsOf(['a', ...between, 'a/b', 'a/b/c', 'a%']);
	expect(paths).toMatchObject({ a: 'a', 'a/b': 'a%/b', 'a/b/c': 'a%/b%/c', 'a%': 'a%25' });
});

it('cuts what is too long for a file system, and keeps it apart', () => {
	const [one, other] = [`${'ü'.repeat(300)}1`, `${'ü'.repeat(300)}2`];
	const paths = Object.values(pathsOf([one, other, `${'%'.repeat(200)}x`]));
	expect(new Set(paths).size).toBe(3);
	for (const path of paths) expect(Buffer.byteLength(path)).toBeLessThan(256);
});

it('does so for any names: different, safe, and no file in the place of a folder', () => {
	const pieces = ['a', 'b', '/', '/', '.', '..', '%', '%2E', '\0', '\n', 'ü', '~', '%~', 'x'.repeat(250)];
	let seed = 1;
	const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
	const keys = new Set<string>();
	while (keys.size < 3000) {
		keys.add(Array.from({ length: 1 + random(7) }, () => pieces[random(pieces.length)]!).join(''));
	}
	const paths = Object.values(pathsOf([...keys]));
	const files = new Set(paths);
	expect(files.size).toBe(keys.size);
	for (const path of paths) {
		expect(isSafePath(Buffer.from(path).toString('latin1'))).toBe(true);
		const parts = path.split('/');
		for (let end = 1; end < parts.length; end++) expect(files.has(parts.slice(0, end).join('/'))).toBe(false);
	}
});

describe('an index that somebody else has written', () => {
	const GOOD = {
		...{ path: 'a', type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: '1.000000000', size: 1, at: 512 },
		sha256: '0'.repeat(64),
		object: { key: 'a', etag: 'x', modified: '2026-11-20T02:00:00.000Z', headers: { 'content-type': 'text/plain' } },
	};
	const parse = (object: unknown, more: Record<string, unknown> = {}) =>
		parseEntry(JSON.stringify({ ...GOOD, object, ...more }));

	it('is read as it was written', () => {
		expect(parseEntry(formatEntry(GOOD as never).trimEnd())).toEqual(GOOD);
		expect(parse({ key: 'a' }, { type: 'gone' })).toMatchObject({ type: 'gone' });
	});

	it.each([
		['no name', { ...GOOD.object, key: '' }],
		['a name that is no text', { ...GOOD.object, key: 1 }],
		['no headers', { ...GOOD.object, headers: undefined }],
		['a header with a line break', { ...GOOD.object, headers: { a: 'b\r\nx-amz-acl: public-read' } }],
		['a header whose name is none', { ...GOOD.object, headers: { 'a b': 'c' } }],
		['very many tags', { ...GOOD.object, tags: Object.fromEntries(Array.from({ length: 300 }, (_, n) => [n, ''])) }],
		['no time', { ...GOOD.object, modified: 'yesterday' }],
		['an order that is none', { ...GOOD.object, latest: false, order: -1 }],
		['no order among versions', { ...GOOD.object, latest: true }],
		['a marker that is none', { ...GOOD.object, latest: false, order: 1, marker: 'yes' }],
		['nothing', null],
	])('is damaged with %s', (_, object) => {
		expect(() => parse(object)).toThrow('has an object that cannot be');
	});

	it('is damaged where an object is no file', () => {
		expect(() => parse(GOOD.object, { type: 'symlink', target: 'x' })).toThrow('is no file');
	});
});
