/** Somebody whom workflows tell by e-mail and by HTTP: a mail server, the service of a chat, a watchdog. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

export interface Asked {
	method: string;
	/** With the query. */
	path: string;
	body: string;
}

export interface Channels {
	url: string;
	smtpPort: number;
	/** What was asked by HTTP since the last call, in order. */
	takeRequests(): Asked[];
	/** Mails since the last call, as they were sent. */
	takeMails(): string[];
	stop(): Promise<void>;
}

export async function startChannels(): Promise<Channels> {
	const requests: Asked[] = [];
	const mails: string[] = [];
	const web = http.createServer((request, response) => {
		void text(request).then((body) => {
			requests.push({ method: request.method!, path: request.url!, body });
			response.setHeader('content-type', 'application/json');
			response.end('{"ok":true,"result":{"message_id":1}}');
		});
	});
	const sockets = new Set<net.Socket>();
	const smtp = net.createServer((socket) => {
		sockets.add(socket);
		socket.on('error', () => socket.destroy());
		receiveMail(socket, (mail) => mails.push(mail));
	});
	for (const server of [web, smtp]) {
		server.listen(0, '127.0.0.1');
		await once(server, 'listening');
	}
	const portOf = (server: net.Server) => (server.address() as AddressInfo).port;
	return {
		url: `http://127.0.0.1:${portOf(web)}`,
		smtpPort: portOf(smtp),
		takeRequests: () => requests.splice(0),
		takeMails: () => mails.splice(0),
		async stop() {
			web.closeAllConnections();
			for (const socket of sockets) socket.destroy();
			for (const server of [web, smtp]) {
				server.close();
				await once(server, 'close');
			}
		},
	};
}

/** As much of RFC 5321 as a sender needs who neither encrypts nor logs in. */
function receiveMail(socket: net.Socket, received: (mail: string) => void): void {
	const answer = (line: string) => socket.write(`${line}\r\n`);
	let mail: string[] | null = null;
	createInterface({ input: socket, crlfDelay: Infinity }).on('line', (line) => {
		if (mail && line !== '.') mail.push(line.replace(/^\./, ''));
		else if (mail) {
			received(mail.join('\n'));
			mail = null;
			answer('250 taken');
		} else if (/^DATA/i.test(line)) {
			mail = [];
			answer('354 go on');
		} else if (/^QUIT/i.test(line)) {
			answer('221 bye');
			socket.end();
		} else answer('250 fine');
	});
	answer('220 test');
}
