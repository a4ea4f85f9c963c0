/** Somebody to whom workflows POST their reports, as JSON. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface Report {
	ok: boolean;
	subject: string;
	text: string;
	[fact: string]: unknown;
}

export interface ReportReceiver {
	url: string;
	/** What came since the last call. */
	take(): Report[];
	stop(): Promise<void>;
}

export async function startReportReceiver(): Promise<ReportReceiver> {
	const reports: Report[] = [];
	const server = http.createServer((request, response) => {
		json(request).then(
			(report) => {
				reports.push(report as Report);
				response.end('{}');
			},
			(error: Error) => response.writeHead(400).end(error.message),
		);
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
		take: () => reports.splice(0),
		async stop() {
			server.closeAllConnections();
			server.close();
			await once(server, 'close');
		},
	};
}
