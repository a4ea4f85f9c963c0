/** What is said of a base backup, as whoever can write to the storage could have written it. */
import { Readable } from 'node:stream';
import {
	type ClusterContents,
	formatContents,
	readContents,
} from '../../../../core/sources/postgres/physical/base/contents';

const place = { lsn: '0/2000028', timeline: 1 };
const CONTENTS: ClusterContents = {
	version: 1,
	...{
		systemIdentifier: '7577777777777777777',
		serverVersion: '18.4',
		serverVersionNumber: 180004,
		segmentBytes: 16_777_216,
	},
	...{ checksums: true, start: place, end: place, tablespaces: [] },
	...{ settings: { max_connections: 100 }, superuser: 'postgres' },
};

async function read(contents: object): Promise<ClusterContents> {
	return await readContents(Readable.from([Buffer.from(JSON.stringify(contents))]), 'cluster/main/label');
}

it('are read as they were written; where no superuser is named, it has the usual name', async () => {
	expect(await read(JSON.parse(formatContents(CONTENTS)) as object)).toEqual(CONTENTS);
	const { superuser: _, ...before } = CONTENTS;
	expect(await read(before)).toEqual(CONTENTS);
});

it.each([
	['names more tablespaces than can be read', Array.from({ length: 991 }, () => ({ oid: 1, location: '/a' }))],
	['is larger than can be read', [{ oid: 1, location: `/${'a'.repeat(2_000_000)}` }]],
])('are not written where it %s', (_, tablespaces) => {
	const write = () => formatContents({ ...CONTENTS, tablespaces });
	expect(write).toThrow(expect.objectContaining({ code: 'invalid-input' }));
	expect(write).toThrow(/what is said of a base backup could not be read again/);
});

it.each([
	[
		'a command behind a line break',
		{ "archive_mode = 'on'\narchive_command = 'touch /tmp/obeyed'\nmax_connections": 100 },
	],
	['a setting that no log needs', { shared_preload_libraries: 1 }],
	['a value that is no number', { max_connections: "100'\narchive_command = 'touch /tmp/obeyed" }],
])('with %s are damaged: a test restore would put it into its configuration', async (_, settings) => {
	await expect(read({ ...CONTENTS, settings })).rejects.toMatchObject({ code: 'damaged' });
});
