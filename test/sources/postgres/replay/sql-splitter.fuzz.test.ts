/**
 * The splitter against random dumps, garbled dumps and random bytes, in a thread that is ended when it hangs.
 *
 *   FUZZ_SECONDS=600 npx jest sql-splitter.fuzz     each property for ten minutes instead of 1,000 inputs
 *   FUZZ_SEED=-1234567 …                                          the inputs of an earlier run: failures print their seed
 */
import fc from 'fast-check';
import { randomDump } from '../../../support/dump-constructs';
import { type Outcome, SplitterThread } from '../../../support/splitter-thread';
import { rounds } from '../../../support/soak';

const seconds = Number(process.env.FUZZ_SECONDS ?? 0);
const seed = process.env.FUZZ_SEED === undefined ? undefined : Number(process.env.FUZZ_SEED);

/** Each property has a thread of its own: one that was interrupted is still busy with its last input. */
async function check<Inputs>(
	inputs: fc.Arbitrary<Inputs>,
	holds: (thread: SplitterThread, inputs: Inputs) => Promise<void>,
): Promise<void> {
	const thread = new SplitterThread();
	const run =
		seconds > 0
			? { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: seconds * 1000 }
			: { numRuns: rounds(1000, 20_000), interruptAfterTimeLimit: rounds(30_000, 300_000) };
	try {
		await fc.assert(
			fc.asyncProperty(inputs, async (input) => await holds(thread, input)),
			{ seed, ...run },
		);
	} finally {
		await thread.close();
	}
}

/** Some borders anywhere in an input of any length, as fractions of it; several at one place make empty chunks. */
const borders = fc.oneof(
	fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
	fc.constant('every byte' as const),
);

function cuts(chosen: number[] | 'every byte', length: number): number[] {
	if (chosen === 'every byte') return Array.from({ length }, (_, i) => i);
	return chosen.map((fraction) => Math.floor(fraction * length)).sort((a, b) => a - b);
}

/** One change of the bytes: what a defect of a disk, an editor or a cut makes of a dump. */
const change = fc.record({
	kind: fc.constantFrom('flip', 'remove', 'insert', 'repeat', 'cut off'),
	at: fc.double({ min: 0, max: 1, noNaN: true }),
	size: fc.integer({ min: 1, max: 12 }),
	byte: fc.oneof(fc.constantFrom(...Buffer.from(`'"$\\;().-/*\n\0`)), fc.integer({ min: 0, max: 255 })),
});

function changed(
	bytes: Buffer,
	{ kind, at, size, byte }: { kind: string; at: number; size: number; byte: number },
): Buffer {
	const index = Math.floor(at * bytes.length);
	const before = bytes.subarray(0, index);
	switch (kind) {
		case 'flip':
			return Buffer.concat([before, Buffer.from([byte]), bytes.subarray(index + 1)]);
		case 'remove':
			return Buffer.concat([before, bytes.subarray(index + size)]);
		case 'insert':
			return Buffer.concat([before, Buffer.alloc(size, byte), bytes.subarray(index)]);
		case 'repeat':
			return Buffer.concat([before, bytes.subarray(Math.max(0, index - size)), bytes.subarray(index)]);
		default:
			return before;
	}
}

function expectNoCrash(outcome: Outcome): void {
	expect(outcome).not.toHaveProperty('crash');
}

describe('the splitter, for as long as one likes', () => {
	const timeout = rounds(seconds + 60, seconds + 360) * 1000;

	it(
		'finds in a dump what it was made of, wherever it is cut into chunks',
		async () => {
			await check(fc.tuple(randomDump, borders), async (thread, [{ bytes, items }, chosen]) => {
				const outcome = await thread.split(bytes, cuts(chosen, bytes.length));
				expect(outcome).toMatchObject({ code: null });
				const found = (outcome as Extract<Outcome, { items: unknown }>).items;
				expect(found.map(({ byte: _, line: __, ...item }) => item)).toEqual(items);
				expect(outcome).toEqual(await thread.split(bytes, []));
			});
		},
		timeout,
	);

	it(
		'finds the same in a garbled dump, or refuses it in the same way, wherever it is cut into chunks',
		async () => {
			const inputs = fc.tuple(randomDump, fc.array(change, { minLength: 1, maxLength: 4 }), borders);
			await check(inputs, async (thread, [dump, changes, chosen]) => {
				const bytes = changes.reduce(changed, dump.bytes);
				const outcome = await thread.split(bytes, cuts(chosen, bytes.length));
				expectNoCrash(outcome);
				expect(outcome).toEqual(await thread.split(bytes, []));
			});
		},
		timeout,
	);

	it(
		'takes random bytes apart or refuses them, but never hangs or crashes',
		async () => {
			await check(fc.tuple(fc.uint8Array({ maxLength: 4000 }), borders), async (thread, [bytes, chosen]) => {
				expectNoCrash(await thread.split(bytes, cuts(chosen, bytes.length)));
			});
		},
		timeout,
	);

	const SCRAPS = [
		`'`,
		`''`,
		`E'\\`,
		`"`,
		`$`,
		`$a`,
		`$a$`,
		`/*`,
		`*/`,
		`/`,
		`-`,
		`--\n`,
		`(`,
		`)`,
		`\\.\n`,
		`x `,
		`begin atomic `,
		`case `,
		`\n`,
		`'\n`,
	];
	it.each(['', 'COPY t FROM stdin;\n', 'CREATE FUNCTION f() BEGIN ATOMIC ', '$a$', 'SELECT '])(
		'reads 1 MB of the same after %j without slowing down',
		async (beginning) => {
			const thread = new SplitterThread();
			for (const scrap of SCRAPS) {
				const bytes = Buffer.from(beginning + scrap.repeat((1024 * 1024) / scrap.length));
				const chunks = Array.from({ length: bytes.length / 1024 }, (_, i) => i * 1024);
				expectNoCrash(await thread.split(bytes, chunks, 10_000));
			}
			await thread.close();
		},
		120_000,
	);
});
