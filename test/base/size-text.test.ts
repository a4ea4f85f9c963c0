import { sizeText } from '../../core/base/size-text';

describe('a size for people', () => {
	it.each([
		[0, '0 B'],
		[999, '999 B'],
		[1000, '1.0 kB'],
		[12_400_000, '12.4 MB'],
		[999_949, '999.9 kB'],
		[999_960, '1.0 MB'],
		[1e12, '1.0 TB'],
		[12_345e12, '12345.0 TB'],
	])('of %d bytes is %s', (bytes, text) => {
		expect(sizeText(bytes)).toBe(text);
	});
});
