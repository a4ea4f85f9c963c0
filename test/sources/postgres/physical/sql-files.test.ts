/** What is read of a server's folder over SQL, and what is written of it, without a server. */
import { Readable } from 'node:stream';
import type { Client } from 'pg';
import { readFileList } from '../../../../core/sources/postgres/physical/base/file-list';
import { FileListWriter } from '../../../../core/sources/postgres/physical/sql/file-list-writer';
import { listFiles } from '../../../../core/sources/postgres/physical/sql/list-files';
import { batched } from '../../../../core/sources/postgres/physical/sql/read-whole';
import { type TarEntry, TarReader } from '../../../../core/sources/postgres/physical/base/tar-reader';
import { type TarredEntry, tarHeader } from '../../../../core/sources/postgres/physical/sql/tar-writer';

/** A server whose folder has these files; those that end with `/` are folders. */
function serverWith(paths: readonly string[]): Client {
	const query = async (_: string, [folder, prefix]: [string, string]) => {
		const inside = paths
			.map((path) => (folder === '.' ? path : path.startsWith(prefix) ? path.slice(prefix.length) : ''))
			.filter((rest) => /^[^/]+\/?$/.test(rest));
		return {
			rows: inside.map((name) => ({ name: name.replace('/', ''), folder: name.endsWith('/'), size: '1', mtime: '2' })),
		};
	};
	return { query } as unknown as Client;
}

async function listed(paths: readonly string[], tablespaces: number[] = []): Promise<string[]> {
	return (await listFiles(serverWith(paths), tablespaces, 'PG_18_202506291')).files.map(({ path }) => path);
}

it('what a server keeps out of its base backups is left out, and nothing else', async () => {
	const kept = [
		...['global/', 'base/', 'pg_wal/', 'pg_replslot/', 'pg_stat_tmp/', 'pg_tblspc/', 'PG_VERSION', 'backup_label.old'],
		...['global/pg_filenode.map', 'base/5/', 'base/5/100', 'base/5/100_fsm', 'base/5/100.1', 'base/5/200_init'],
		...['base/5/t_notes', 'log/', 'log/t3_100'],
	];
	const left = [
		...['postmaster.pid', 'postmaster.opts', 'backup_label', 'tablespace_map', 'backup_manifest', '.s.PGSQL.5432.lock'],
		...['postgresql.auto.conf.tmp', 'current_logfiles.tmp', 'pg_wal/000000010000000000000001', 'pg_replslot/a/'],
		...[
			'pg_stat_tmp/x',
			'global/pg_internal.init',
			'base/5/pg_internal.init.77',
			'base/pgsql_tmp/',
			'base/pgsql_tmp/x',
		],
		...[
			'base/5/200',
			'base/5/200.1',
			'base/5/200_fsm',
			'base/5/200_vm',
			'base/5/t3_100',
			'base/5/t3_100_fsm',
			'base/5/t3_100.1',
		],
	];
	expect((await listed([...left, ...kept])).sort()).toEqual([...kept].map((path) => path.replace(/\/$/, '')).sort());
});

it('of tablespaces, those that are known are read, and in them this server’s folder alone', async () => {
	const paths = [
		...['pg_tblspc/', 'pg_tblspc/16385/', 'pg_tblspc/16385/PG_18_202506291/', 'pg_tblspc/16385/PG_18_202506291/5/'],
		...['pg_tblspc/16385/PG_18_202506291/5/1', 'pg_tblspc/16385/PG_15_202209061/', 'pg_tblspc/16385/PG_15_202209061/x'],
		...['pg_tblspc/16999/', 'pg_tblspc/16999/PG_18_202506291/'],
	];
	expect(await listed(paths, [16385])).toEqual([
		...['pg_tblspc', 'pg_tblspc/16385/PG_18_202506291', 'pg_tblspc/16385/PG_18_202506291/5'],
		'pg_tblspc/16385/PG_18_202506291/5/1',
	]);
});

it('what may be a link, and what cannot be asked for by its name, is told', async () => {
	const server = serverWith([
		'base/',
		'log/',
		'elsewhere/',
		'elsewhere/x',
		'B\ufffdro.txt',
		'log/\ufffd/',
		'PG_VERSION',
	]);
	const { files, warnings } = await listFiles(server, [], 'PG_18_1');
	expect(files.map(({ path }) => path)).toEqual(['base', 'log', 'elsewhere', 'PG_VERSION', 'elsewhere/x']);
	expect(warnings).toEqual([
		expect.stringMatching(/^elsewhere in the server’s folder was backed up: where it is a link/),
		expect.stringMatching(/^B\ufffdro\.txt, log\/\ufffd is not in the backup/),
	]);
	expect((await listFiles(serverWith(['base/', 'pg_wal/']), [], 'PG_18_1')).warnings).toEqual([]);
});

it('more files than a list of them may have are refused before they are read', async () => {
	const long = 'x'.repeat(2000);
	const query = async (_: string, [folder]: [string]) => ({
		rows:
			folder === '.'
				? Array.from({ length: 99_999 }, (_none, n) => ({ name: `f${n}`, folder: n < 3, size: '0', mtime: '2' }))
				: Array.from({ length: 99_999 }, () => ({ name: long, folder: false, size: '0', mtime: '2' })),
	});
	await expect(listFiles({ query } as unknown as Client, [], 'PG_18_1')).rejects.toMatchObject({
		code: 'unsupported',
		message: expect.stringContaining('more files than a base backup may have'),
	});
});

it('a folder that contains itself through a link is refused', async () => {
	const query = async () => ({ rows: [{ name: 'loop', folder: true, size: '0', mtime: '2' }] });
	await expect(listFiles({ query } as unknown as Client, [], 'PG_18_1')).rejects.toMatchObject({
		code: 'unsupported',
		message: expect.stringContaining('there is no end to the files in the server’s folder loop/loop/'),
	});
});

it('a time that no calendar has is brought into one, so that it can be written down', async () => {
	const query = async (_: string, [folder]: [string]) => ({
		rows:
			folder === '.'
				? ['8640000000001', '-8640000000001'].map((mtime, n) => ({ name: `${n}`, folder: false, size: '1', mtime }))
				: [],
	});
	const { files } = await listFiles({ query } as unknown as Client, [], 'PG_18_1');
	const list = new FileListWriter();
	for (const file of files) list.add({ ...file, crc32c: 0 });
	const place = { lsn: '0/2000028', timeline: 1 };
	const text = Buffer.concat([...list.text({ major: 18, systemIdentifier: '1', start: place, end: place })]).toString();
	expect(text.match(/"Last-Modified": "[^"]*"/g)).toEqual([
		'"Last-Modified": "9999-01-01 00:00:00 GMT"',
		'"Last-Modified": "1900-01-01 00:00:00 GMT"',
	]);
});

it('the list of files that is written can be read, for each version', async () => {
	for (const major of [13, 18]) {
		const list = new FileListWriter();
		for (let n = 0; n < 2500; n++) list.add({ path: `base/1/"${n}"`, size: n, mtime: 1_700_000_000, crc32c: n });
		const place = { lsn: '0/2000028', timeline: 1 };
		const text = [...list.text({ major, systemIdentifier: '18446744073709551615', start: place, end: place })];
		const files = await readFileList(Readable.from(text), 'cluster/main/x');
		expect(files).toHaveLength(2500);
		expect(files[2499]).toEqual({ path: 'base/1/"2499"', size: 2499, crc32c: 2499 });
		const whole = Buffer.concat(text).toString();
		expect(whole).toContain('"Last-Modified": "2023-11-14 22:13:20 GMT"');
		expect(whole.includes('"System-Identifier": 18446744073709551615')).toBe(major === 18);
	}
});

it.each<[string, Partial<TarredEntry>]>([
	['of more than 8 GB', { size: 9 * 1024 ** 3 }],
	['changed before 1970', { mtime: -86_400 }],
	['with letters that are not ASCII', { path: 'log/Büro – 日本.txt' }],
	['whose name takes all the room that there is', { path: 'x'.repeat(100) }],
	['with a long path', { path: `${'a'.repeat(150)}/${'b'.repeat(99)}` }],
	['that is a folder', { path: 'conf.d', isFolder: true }],
])('a file %s is read as it was written', (_, change) => {
	const written = { path: 'log/postgresql.log', size: 0, mtime: 1, forGroup: false, ...change };
	const read: TarEntry[] = [];
	const reader = new TarReader('base.tar', (entry) => {
		read.push(entry);
		return { take: () => undefined, end: () => undefined };
	});
	reader.add(tarHeader(written));
	expect(read).toEqual([
		expect.objectContaining({ path: written.path, size: written.size, type: written.isFolder ? 'folder' : 'file' }),
	]);
});

it('a path that no tar of a server holds is refused, and pieces are asked for in questions of limited size', () => {
	expect(tarHeader({ path: `${'a'.repeat(90)}/${'b'.repeat(90)}`, mtime: 1, forGroup: false })).toHaveLength(512);
	for (const path of ['a'.repeat(300), `${'ü'.repeat(60)}.txt`, `${'a'.repeat(200)}/b`]) {
		expect(() => tarHeader({ path, mtime: 1, forGroup: false })).toThrow('too long a name');
	}
	const piece = (length: number) => ({ path: 'x', offset: 0, length });
	const sizes = (lengths: number[]) =>
		[...batched(lengths.map(piece))].map((batch) => batch.map(({ length }) => length));
	const MB = 1024 * 1024;
	expect(sizes([4 * MB, 4 * MB, 1, 9 * MB, 1])).toEqual([[4 * MB, 4 * MB], [1], [9 * MB], [1]]);
	expect(sizes(Array.from({ length: 1001 }, () => 1)).map(({ length }) => length)).toEqual([1000, 1]);
});
