/** What is read of the XML of servers. */
import { elements } from '../../../core/storage/s3/text';

describe('elements', () => {
	it('come in their order, whatever they hold', () => {
		const xml = '<A>1</A><B>2</B><C><A>3\n</A></C><A></A>';
		expect(elements(xml, 'A', 'B')).toEqual([
			{ name: 'A', text: '1' },
			{ name: 'B', text: '2' },
			{ name: 'A', text: '3\n' },
			{ name: 'A', text: '' },
		]);
	});

	it('that never end take no time: a server cannot hold up the process', () => {
		const hostile = '<Contents>'.repeat(30_000);
		const startedAt = performance.now();
		expect(elements(hostile, 'Contents')).toHaveLength(1);
		expect(elements(`<Contents>whole</Contents>${hostile}`, 'Contents')).toHaveLength(2);
		// Seconds, where each start is searched for its end.
		expect(performance.now() - startedAt).toBeLessThan(1000);
	});
});
