import { buffer } from 'node:stream/consumers';
import { DumpBody } from '../../core/postgres/engines/body';

const TRAILER = '--\n-- PostgreSQL database dump complete\n--\n\n';
const KEYED = `${TRAILER}\\unrestrict ${'k'.repeat(63)}\n\n`;

function bodyOf(chunks: string[], format: 'plain' | 'custom' = 'plain') {
	const body = new DumpBody({ format, resume: () => undefined, stop: async () => undefined });
	for (const chunk of chunks) body.offer(Buffer.from(chunk));
	body.complete();
	return body;
}

describe('the end of a dump is proof', () => {
	it.each([
		['a trailer', [`SELECT 1;\n\n${TRAILER}`]],
		['a trailer with a key', [`SELECT 1;\n\n${KEYED}`]],
		['a trailer after much else', ['x'.repeat(1000), 'y'.repeat(256), `\n${KEYED}`]],
		['a trailer in single bytes', [...'x'.repeat(300), ...`\n${KEYED}`]],
		['a trailer alone', [TRAILER]],
	])('for plain text with %s', async (_what, chunks) => {
		expect((await buffer(bodyOf(chunks))).toString()).toBe(chunks.join(''));
	});

	it.each([
		['nothing', []],
		['half a trailer', [`SELECT 1;\n\n${TRAILER.slice(0, -3)}`]],
		['a trailer and something after it', [`${KEYED}COPY`]],
		['a trailer that is data', [`a row: ${TRAILER}`]],
		['a trailer long before its end', [KEYED, 'x'.repeat(1000)]],
	])('and not given for plain text with %s', async (_what, chunks) => {
		await expect(buffer(bodyOf(chunks))).rejects.toMatchObject({ code: 'incomplete' });
	});

	it('for the custom format by its first bytes', async () => {
		expect((await buffer(bodyOf(['PG', 'DM', 'P and more'], 'custom'))).toString()).toBe('PGDMP and more');
		await expect(buffer(bodyOf(['PGD'], 'custom'))).rejects.toMatchObject({ code: 'incomplete' });
		await expect(buffer(bodyOf([KEYED], 'custom'))).rejects.toMatchObject({ code: 'incomplete' });
	});
});
