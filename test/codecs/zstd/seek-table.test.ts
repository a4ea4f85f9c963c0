import { readSeekTable, SeekTableBuilder, seekTableSize } from '../../../core/codecs/zstd/seek-table';

function tableOf(frames: Array<[number, number]>): Buffer {
	const builder = new SeekTableBuilder();
	for (const [compressed, original] of frames) builder.add(compressed, original, 0xdeadbeef);
	return Buffer.concat([...builder.pieces()]);
}

describe('seek table', () => {
	it('has the bytes that the seekable format 0.1.0 prescribes', () => {
		expect(tableOf([[5, 7]]).toString('hex')).toBe(
			['5e2a4d18', '15000000', '05000000', '07000000', 'efbeadde', '01000000', '80', 'b1ea928f'].join(''),
		);
		expect(tableOf([]).toString('hex')).toBe(['5e2a4d18', '09000000', '00000000', '80', 'b1ea928f'].join(''));
	});

	it('gives back the offsets of more frames than one block holds, also beyond 4 GiB', () => {
		const frames = Array.from({ length: 10_000 }, (_, i): [number, number] => [1000 + i, 1 << 20]);
		const { frames: count, compressed, original } = readSeekTable(tableOf(frames));
		expect(count).toBe(10_000);
		expect(original[10_000]).toBe(10_000 * (1 << 20));
		expect(compressed[2]).toBe(2001);
	});

	it('is found from the last nine bytes', () => {
		const table = tableOf([[1, 2], [3, 4]]); // prettier-ignore
		expect(seekTableSize(table.subarray(-9))).toBe(table.length);
		expect(seekTableSize(Buffer.from('no table'))).toBeNull();
		expect(seekTableSize(Buffer.alloc(100))).toBeNull();
	});

	it('is read without checksums, as other programs write it', () => {
		const table = Buffer.from(
			'5e2a4d18' + '11000000' + '05000000' + '07000000' + '01000000' + '00' + 'b1ea928f',
			'hex',
		);
		expect(readSeekTable(table)).toMatchObject({ frames: 1, original: new Float64Array([0, 7]) });
	});

	it('is refused when it is cut, contradicts itself or claims more frames than there are', () => {
		const table = tableOf([[5, 7], [5, 7]]); // prettier-ignore
		const changed = (at: number, value: number) => Buffer.from(table).fill(value, at, at + 1);
		const bad = [
			table.subarray(1),
			table.subarray(0, -1),
			changed(0, 0x50),
			changed(4, 1),
			changed(table.length - 9, 200),
			changed(table.length - 5, 0xc0),
			changed(table.length - 6, 0xff),
		];
		for (const bytes of bad)
			expect(() => readSeekTable(bytes)).toThrow(expect.objectContaining({ code: 'damaged' }) as Error);
	});

	it('says so when the format cannot hold more frames', () => {
		const builder = new SeekTableBuilder(2);
		builder.add(1, 1, 0);
		builder.add(1, 1, 0);
		expect(() => builder.add(1, 1, 0)).toThrow(expect.objectContaining({ code: 'unsupported' }) as Error);
	});
});
