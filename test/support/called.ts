/** Somebody whom a published workflow of n8n calls with a credential: proof that schedules run and that credentials open. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { N8nClient } from '../../scripts/lib/n8n-client.mjs';
import type { WorkflowNode } from './n8n';
import { OFTEN } from './n8n-schedule';
import { until } from './until';

/** What n8n keeps in the credential. */
export const SECRET = 'what-the-credential-sends';

export interface Called {
	/** How many requests with the credential came since the last look. */
	take(): number;
	/** Publishes "Calls with a credential", and waits for its first call. */
	publishCaller(client: N8nClient): Promise<void>;
	stop(): Promise<void>;
}

export async function startCalled(): Promise<Called> {
	let count = 0;
	const server = http.createServer((request, response) => {
		if (request.headers['x-secret'] === SECRET) count++;
		response.end('{}');
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
	return {
		take: () => [count, (count = 0)][0]!,
		async publishCaller(client) {
			await publish(client, url);
			await until('the schedule has called', () => Promise.resolve(count > 0));
		},
		async stop() {
			server.closeAllConnections();
			server.close();
			await once(server, 'close');
		},
	};
}

/** A workflow that calls every ten seconds. */
async function publish(client: N8nClient, url: string): Promise<void> {
	const header = await client.createCredential({
		...{ name: 'Header', type: 'httpHeaderAuth' },
		data: { name: 'X-Secret', value: SECRET, allowedHttpRequestDomains: 'all' },
	});
	const node = (
		name: string,
		own: Pick<WorkflowNode, 'type' | 'typeVersion' | 'parameters' | 'credentials'>,
	): WorkflowNode => ({
		...{ id: name, name, position: [0, 0] },
		...own,
	});
	const id = await client.createWorkflow({
		name: 'Calls with a credential',
		nodes: [
			node('Often', { type: 'n8n-nodes-base.scheduleTrigger', typeVersion: 1.2, parameters: OFTEN }),
			node('Call', {
				...{ type: 'n8n-nodes-base.httpRequest', typeVersion: 4.2, credentials: { httpHeaderAuth: header } },
				parameters: { url, authentication: 'genericCredentialType', genericAuthType: 'httpHeaderAuth' },
			}),
		],
		connections: { Often: { main: [[{ node: 'Call', type: 'main', index: 0 }]] } },
	});
	await client.publishWorkflow(id);
}
