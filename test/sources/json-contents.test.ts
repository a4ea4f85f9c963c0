/** Contents that no program of ours has written are refused, each by what is wrong with it. */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { readJsonContents } from '../../core/sources/json-contents';

const schema = z.strictObject({ version: z.literal(1), files: z.number() });

async function read(text: string): Promise<unknown> {
	return await readJsonContents(Readable.from([Buffer.from(text)]), 'files/a/x', {
		...{ schema, maxBytes: 100, noun: 'an archive' },
	});
}

it('reads what is right', async () => {
	expect(await read('{"version":1,"files":3}')).toEqual({ version: 1, files: 3 });
});

it.each([
	['too large', `{"version":1,"files":${' '.repeat(100)}3}`, 'damaged', 'are too large'],
	['not JSON', '{"version":1,', 'damaged', 'are not JSON'],
	['something else', '[]', 'damaged', 'are not what an archive has'],
	['null', 'null', 'damaged', 'are not what an archive has'],
	['more than is known', '{"version":1,"files":3,"more":1}', 'damaged', 'are not what an archive has'],
	['of a later version', '{"version":2,"files":3,"more":1}', 'newer-format', 'have version 2, this program reads 1'],
])('refuses contents that are %s', async (_, text, code, why) => {
	await expect(read(text)).rejects.toMatchObject({ code, message: `the contents of files/a/x ${why}` });
});
