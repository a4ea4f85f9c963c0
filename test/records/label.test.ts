import fc from 'fast-check';
import { assertGroup, BACKUP_TYPES, createLabel, fromSegment, parseLabel, toSegment } from '../../core/records/label';
import { assertKey } from '../../core/storage/key';

describe('a label', () => {
	it('says when the backup started and of which type it is', () => {
		const label = createLabel('full', new Date('2026-11-20T02:00:00.999Z'));
		expect(label).toMatch(/^20261120T020000Z-full-[a-z0-9]{4}$/);
		expect(parseLabel(label)).toEqual({ type: 'full', startedAt: new Date('2026-11-20T02:00:00Z') });
	});

	it('comes back as it was made, and sorts as time', () => {
		const seconds = fc.integer({ min: 0, max: 4_000_000_000 });
		fc.assert(
			fc.property(seconds, seconds, fc.constantFrom(...BACKUP_TYPES), (a, b, type) => {
				const [first, second] = [new Date(a * 1000), new Date(b * 1000)];
				expect(parseLabel(createLabel(type, first))).toEqual({ type, startedAt: first });
				if (a < b) expect(createLabel(type, first) < createLabel(type, second)).toBe(true);
			}),
		);
	});

	it.each(['', 'manifest.json', '20261120T020000Z-full', '20261120T020000Z-whole-k3f9', '20261340T020000Z-full-k3f9'])(
		'is not %p',
		(text) => expect(parseLabel(text)).toBeNull(),
	);
});

describe('a group', () => {
	it.each(['postgres/shop', 'shop', 'files/acme customer', 'postgres/b=c3=bccher'])('can be named %p', (group) => {
		expect(() => assertGroup(group)).not.toThrow();
	});

	it.each(['', '/', 'a//b', '../a', 'a/..', 'runs/x', 'locks', 'repository.json', 'a/20261120T020000Z-full-k3f9'])(
		'cannot be named %p',
		(group) => expect(() => assertGroup(group)).toThrow(expect.objectContaining({ code: 'invalid-input' })),
	);
});

describe('a database name as a segment', () => {
	it.each([
		['shop', 'shop'],
		['my/db', 'my=2fdb'],
		['.hidden', '=2ehidden'],
		['a=b', 'a=3db'],
		['Bücher', 'Bücher'],
		['tab\t☃', 'tab=09=e2=98=83'],
	])('turns %p into %p', (name, segment) => expect(toSegment(name)).toBe(segment));

	it('is always a valid key, and different for different names', () => {
		const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((s) => !s.includes('\0'));
		fc.assert(
			fc.property(name, name, (a, b) => {
				assertKey(toSegment(a));
				expect(toSegment(a) === toSegment(b)).toBe(a === b);
				expect(fromSegment(toSegment(a))).toBe(a);
			}),
		);
	});

	it.each(['a b', '=zz', 'a=2', '=41', '=ff', '%41', '.a', '=C3=A4'])('%p is the segment of no name', (segment) => {
		expect(fromSegment(segment)).toBeNull();
	});
});
