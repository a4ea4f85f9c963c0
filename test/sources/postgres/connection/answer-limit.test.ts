/** What a server says is as untrusted as what a storage holds: none fills our memory. */
import { once } from 'node:events';
import net from 'node:net';
import { connect } from '../../../../core/sources/postgres/connection/connection';
import { contentsText, type DatabaseFacts, parseContents } from '../../../../core/sources/postgres/dump/contents';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';

/** A message of PostgreSQL's protocol. */
function message(letter: string, body: Buffer, length = body.length + 4): Buffer {
	const head = Buffer.alloc(5);
	head.write(letter);
	head.writeUInt32BE(length, 1);
	return Buffer.concat([head, body]);
}

/** A server that lets everybody in, and then sends the same for as long as somebody takes it. */
async function flood(chunk: Buffer, first: Buffer): Promise<{ target: DatabaseTarget; close: () => void }> {
	const sockets = new Set<net.Socket>();
	const server = net.createServer((socket) => {
		sockets.add(socket.on('error', () => undefined));
		socket.once('data', () => {
			socket.write(message('R', Buffer.alloc(4)));
			socket.write(message('Z', Buffer.from('I')));
			socket.once('data', () => {
				const pour = () => {
					while (!socket.destroyed && socket.write(chunk));
				};
				socket.write(first);
				socket.on('drain', pour);
				pour();
			});
		});
	});
	await once(server.listen(0, '127.0.0.1'), 'listening');
	const { port } = server.address() as net.AddressInfo;
	const target: DatabaseTarget = { host: '127.0.0.1', port, user: 'u', database: 'd', tls: 'off' };
	return {
		target,
		close: () => {
			for (const socket of sockets) socket.destroy();
			server.close();
		},
	};
}

const COLUMN = message('T', Buffer.concat([Buffer.from([0, 1]), Buffer.from('a\0'), Buffer.alloc(18)]));
// Small, but not so small that a busy machine reads them for longer than a connection may take.
const ROW = message('D', Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 64]), Buffer.alloc(64, '1')]));

it.each([
	['rows without end', Buffer.concat(Array.from({ length: 5000 }, () => ROW)), COLUMN],
	['a message of 2 GB', Buffer.alloc(65_536), message('D', Buffer.alloc(0), 2 ** 31 - 1)],
])(
	'%s of a server end the connection, and take little memory',
	async (_, chunk, first) => {
		const { target, close } = await flood(chunk, first);
		const before = process.memoryUsage().rss;
		try {
			await expect(connect(target, { signal: new AbortController().signal })).rejects.toMatchObject({
				code: 'unsupported',
				message: expect.stringMatching(
					/^d on 127\.0\.0\.1:\d+: the server sent more than 32 MB in answer to one question$/,
				),
			});
			// The 2 GB message took 4.4 GB.
			expect(process.memoryUsage().rss - before).toBeLessThan(1_000_000_000);
		} finally {
			close();
		}
	},
	60_000,
);

it.each([
	['30 million empty names', () => `{"roles":[${'"",'.repeat(30_000_000)}""]}`],
	['60 million lists in each other', () => '['.repeat(60_000_000)],
])('contents with %s are damaged, before they are parsed', (_, text) => {
	const json = text();
	const before = process.memoryUsage().heapUsed;
	expect(() => parseContents(json)).toThrow(
		expect.objectContaining({
			code: 'damaged',
			cause: expect.objectContaining({ message: 'more than 4000000 values' }),
		}),
	);
	expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000);
});

it('contents that could not be read again are not written', () => {
	const contents = { tables: Array(4_000_001).fill(0) } as unknown as DatabaseFacts;
	expect(() => contentsText(contents)).toThrow(expect.objectContaining({ code: 'unsupported' }));
});
