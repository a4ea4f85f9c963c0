import * as fc from 'fast-check';
import { copyMessages } from '../../../../core/sources/postgres/drill/embedded/copy-messages';

const STATEMENT = Buffer.from('COPY a (b) FROM stdin;');

/** The rows of each message, after a look at everything around them. */
async function batches(chunks: readonly Buffer[], batchBytes: number): Promise<string[]> {
	async function* rows() {
		yield* chunks;
	}
	const found: string[] = [];
	for await (const message of copyMessages([STATEMENT], rows(), batchBytes)) {
		const query = 1 + message.readUInt32BE(1);
		expect(message.toString('latin1', 0, query + 1)).toMatch(/^Q[^]{4}COPY a \(b\) FROM stdin;\0d$/);
		const end = query + 1 + message.readUInt32BE(query + 1);
		expect(message.subarray(end)).toEqual(Buffer.from([99, 0, 0, 0, 4]));
		found.push(message.toString('latin1', query + 5, end));
	}
	return found;
}

/** Cut anywhere. */
function cut(text: string, places: readonly number[]): Buffer[] {
	const borders = [0, ...places.map((place) => place % (text.length + 1)).sort((a, b) => a - b), text.length];
	return borders.slice(1).map((end, index) => Buffer.from(text.slice(borders[index], end), 'latin1'));
}

describe('the rows of a COPY in messages', () => {
	const row = fc
		.array(fc.constantFrom('a', '\t', '\\N', '\\\\', '\\\n', '\\n', 'é'), { maxLength: 8 })
		.map((parts) => `${parts.join('')}\n`);

	it('are all there, in their order, and no message begins or ends inside a row', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(row, { maxLength: 30 }),
				fc.array(fc.nat(200), { maxLength: 10 }),
				fc.integer({ min: 1, max: 60 }),
				async (rows, places, batchBytes) => {
					const found = await batches(cut(rows.join(''), places), batchBytes);
					expect(found.join('')).toBe(rows.join(''));
					const ends = new Set(rows.map((_, index) => rows.slice(0, index + 1).join('').length).concat(0));
					let length = 0;
					for (const batch of found) expect(ends).toContain((length += batch.length));
				},
			),
		);
	});

	it('make one message when there are none, for the COPY itself can be refused', async () => {
		expect(await batches([], 100)).toEqual(['']);
	});

	it('make messages of the given size, and one that is larger for a row that is longer', async () => {
		const rows = ['a'.repeat(60), 'b'.repeat(30), 'c'.repeat(500), 'd'].map((text) => `${text}\n`);
		const found = await batches(cut(rows.join(''), [17, 100, 400]), 100);
		expect(found).toEqual([rows[0]! + rows[1]!, rows[2]! + rows[3]!]);
	});
});
