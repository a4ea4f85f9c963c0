import { Readable } from 'node:stream';
import { chooseEngine } from '../../../../core/sources/postgres/dump/engines/choose';
import { HEADER_BYTES, readArchiveHeader, readStart } from '../../../../core/sources/postgres/dump/custom-archive';
import { sharedPostgres, sql } from '../../../support/postgres';

let head: Buffer;
beforeAll(async () => {
	const target = await (await sharedPostgres(17)).createDatabase();
	await sql(target, 'CREATE TABLE t (id int PRIMARY KEY)');
	const engine = await chooseEngine('builtin', 170000, {});
	const request = { target, format: 'custom', filter: {}, lockTimeoutMs: 1000 } as const;
	const dump = await engine.start(request, { signal: new AbortController().signal });
	head = await readStart(dump.body);
}, 120_000);

describe('the start of a dump', () => {
	it('is no more than a header can have, and the rest is not read', async () => {
		const body = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(1000, 'x')));
		expect(await readStart(body)).toHaveLength(HEADER_BYTES);
		expect(body.destroyed).toBe(true);
		expect((await readStart(Readable.from([Buffer.from('short')]))).toString()).toBe('short');
	});
});

describe('the header of a dump in custom format', () => {
	it('tells who made it, and how much is in it', () => {
		expect(readArchiveHeader(head)).toEqual({
			version: '1.16',
			serverVersion: expect.stringMatching(/^17\./),
			dumpVersion: expect.stringMatching(/^18\./),
			entries: expect.any(Number),
		});
		expect(readArchiveHeader(head).entries).toBeGreaterThan(3);
	});

	it('that is cut off is damaged', () => {
		for (let length = 0; length < 60; length++) {
			expect(() => readArchiveHeader(head.subarray(0, length))).toThrow(expect.objectContaining({ code: 'damaged' }));
		}
	});

	it('of something else is damaged', () => {
		expect(() => readArchiveHeader(Buffer.from('--\n-- PostgreSQL database dump\n'))).toThrow(/PGDMP/);
	});
});
