import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { buffer } from 'node:stream/consumers';
import { DumpBody } from '../../../../../core/sources/postgres/dump/engines/body';
import { openOutlet } from '../../../../../core/sources/postgres/dump/engines/outlet';

const TRAILER = '--\n-- PostgreSQL database dump complete\n--\n\n';
const KEYED = `${TRAILER}\\unrestrict ${'k'.repeat(63)}\n\n`;

function bodyOf(chunks: string[], format: 'plain' | 'custom' = 'plain') {
	const body = new DumpBody({ format, of: 'shop on db:5432', resume: () => undefined, stop: async () => undefined });
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

describe('an outlet', () => {
	it('hands on all bytes in order, also while nobody wants more, and fills chunks that came back', async () => {
		const seen: Buffer[] = [];
		const memories = new Set<ArrayBufferLike>();
		const outlet = await openOutlet((bytes) => {
			memories.add(bytes.buffer);
			seen.push(Buffer.from(bytes));
			outlet.recycle(bytes);
			setTimeout(() => outlet.resume(), 2);
			return false;
		});
		try {
			const program = 'for (let i = 0; i < 60; i++) fs.writeSync(1, Buffer.alloc(99_991, i))';
			const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', outlet.writeEnd, 'inherit'] });
			outlet.writeEnd.destroy();
			await Promise.all([once(child, 'exit'), outlet.ended]);
			const expected = Buffer.concat(Array.from({ length: 60 }, (_, i) => Buffer.alloc(99_991, i)));
			expect(Buffer.concat(seen).equals(expected)).toBe(true);
			expect(memories.size).toBeLessThan(seen.length);
		} finally {
			outlet.destroy();
		}
	});

	it('belongs to the program: a stranger who connects first is turned away', async () => {
		const connect = net.connect.bind(net) as (to: net.NetConnectOpts) => net.Socket;
		let stranger: net.Socket | undefined;
		jest.spyOn(net, 'connect').mockImplementationOnce(((to: net.NetConnectOpts) => {
			stranger = connect({ port: (to as net.TcpNetConnectOpts).port, host: '127.0.0.1' });
			stranger.on('error', () => undefined).write('lies');
			return connect(to);
		}) as typeof net.connect);
		const seen: Buffer[] = [];
		const outlet = await openOutlet((bytes) => seen.push(Buffer.from(bytes)) > 0);
		try {
			const closed = once(stranger!, 'close');
			outlet.writeEnd.end('the truth');
			await Promise.all([outlet.ended, closed]);
			expect(Buffer.concat(seen).toString()).toBe('the truth');
		} finally {
			outlet.destroy();
		}
	});
});
