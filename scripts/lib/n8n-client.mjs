/** What a person does in n8n's editor, done by a program: owner, credentials, workflows, runs. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { preselectedTrigger } from '../../gulp/preselected-trigger.js';

/**
 * @typedef {import('./n8n-client.d.mts').Execution} Execution
 * @typedef {import('./n8n-client.d.mts').Item} Item
 */

/** Statuses that an execution never leaves. */
const ENDED = ['success', 'error', 'canceled', 'crashed'];
/** To look more often keeps n8n busier than much of what it runs. */
const LONGEST_PAUSE_MS = 500;

export class N8nClient {
	#url;
	#cookie = '';
	#apiKey = '';
	/** @type {Set<string>} */
	#published = new Set();

	/**
	 * @param {string} url "http://127.0.0.1:5678"
	 * @param {import('./n8n-client.d.mts').Session} [session] of another client that is logged in there
	 */
	constructor(url, session) {
		this.#url = url;
		if (session) [this.#cookie, this.#apiKey] = [session.cookie, session.apiKey];
	}

	/** What another client needs to go on as this one. */
	get session() {
		return { cookie: this.#cookie, apiKey: this.#apiKey };
	}

	/** @param {Partial<import('./n8n-client.d.mts').Login>} [login] */
	async setUpOwner({ email = 'owner@example.com', password = `Demo-${randomBytes(9).toString('hex')}-1` } = {}) {
		const owner = { email, password, firstName: 'Backup', lastName: 'Owner' };
		const response = await this.#fetch('POST', '/rest/owner/setup', owner);
		this.#cookie = response.headers
			.getSetCookie()
			.map((cookie) => cookie.split(';')[0])
			.join('; ');
		const scopes = await this.rest('GET', '/api-keys/scopes');
		const key = await this.rest('POST', '/api-keys', { label: 'program', scopes, expiresAt: null });
		this.#apiKey = key.rawApiKey;
		return { email, password };
	}

	/**
	 * The interface of n8n's editor.
	 * @param {string} method
	 * @param {string} path below /rest
	 * @param {unknown} [body]
	 * @returns {Promise<any>}
	 */
	async rest(method, path, body) {
		/** @type {any} */
		const answer = await (await this.#fetch(method, `/rest${path}`, body)).json();
		return answer.data;
	}

	/**
	 * The public interface.
	 * @param {string} method
	 * @param {string} path below /api/v1
	 * @param {unknown} [body]
	 * @returns {Promise<any>}
	 */
	async api(method, path, body) {
		return await (await this.#fetch(method, `/api/v1${path}`, body)).json();
	}

	/** @returns {Promise<any>} */
	async nodeTypes() {
		return await (await this.#fetch('GET', '/types/nodes.json')).json();
	}

	/**
	 * @param {import('./n8n-client.d.mts').CredentialContent} credential
	 * @returns {Promise<{ id: string, name: string }>} how nodes refer to it
	 */
	async createCredential(credential) {
		const { id, name } = await this.api('POST', '/credentials', credential);
		return { id, name };
	}

	/**
	 * Presses "Test" of a stored credential.
	 * @param {{ id: string, name: string }} reference
	 * @param {import('./n8n-client.d.mts').CredentialContent} content
	 * @returns {Promise<{ status: 'OK' | 'Error', message: string }>}
	 */
	async testCredential(reference, content) {
		return await this.rest('POST', '/credentials/test', { credentials: { ...content, ...reference } });
	}

	/**
	 * Opens the list of a field that is chosen "From List".
	 * @param {import('./n8n-client.d.mts').ListField} field
	 * @returns {Promise<{ name: string, value: string }[]>}
	 */
	async list({ node, method, parameters, credentials, filter }) {
		const { results } = await this.rest('POST', '/dynamic-node-parameters/resource-locator-results', {
			path: 'parameters.field',
			methodName: method,
			nodeTypeAndVersion: { name: node, version: 1 },
			currentNodeParameters: parameters,
			credentials,
			filter,
		});
		return results;
	}

	/**
	 * @param {{ name: string, nodes: unknown[], connections: unknown, settings?: unknown }} workflow
	 * @returns {Promise<string>} its id
	 */
	async createWorkflow({ name, nodes, connections, settings = { executionOrder: 'v1' } }) {
		return (await this.api('POST', '/workflows', { name, nodes, connections, settings })).id;
	}

	/** Makes schedules, webhooks and error workflows work. @param {string} id */
	async publishWorkflow(id) {
		await this.api('POST', `/workflows/${id}/publish`, {});
		this.#published.add(id);
	}

	/** Ends its schedules and webhooks. Runs that have begun go on. @param {string} id */
	async unpublishWorkflow(id) {
		this.#published.delete(id);
		await this.api('POST', `/workflows/${id}/unpublish`, {});
	}

	/** Whatever this client has published. */
	async unpublishAll() {
		for (const id of this.#published) await this.unpublishWorkflow(id);
	}

	/**
	 * Presses "Execute workflow" at a trigger node.
	 * @param {string} id
	 * @param {string} trigger the node's name
	 * @returns {Promise<string>} the execution's id, while it runs
	 */
	async start(id, trigger) {
		const { executionId } = await this.rest('POST', `/workflows/${id}/run`, { triggerToStartFrom: { name: trigger } });
		return executionId;
	}

	/**
	 * Presses "Execute workflow" and waits for the end.
	 * @param {string} id
	 * @param {string} trigger the node's name
	 * @param {{ timeoutMs?: number }} [options]
	 * @returns {Promise<Execution>}
	 */
	async execute(id, trigger, options) {
		return await this.ended(await this.start(id, trigger), options);
	}

	/**
	 * Presses "Execute workflow" without choosing a trigger.
	 * @param {string} id
	 * @param {{ timeoutMs?: number }} [options]
	 * @returns {Promise<Execution>}
	 */
	async press(id, options) {
		const { nodes } = await this.rest('GET', `/workflows/${id}`);
		const trigger = preselectedTrigger(nodes);
		if (!trigger) throw new Error('there is no trigger that could be started');
		return await this.execute(id, trigger.name, options);
	}

	/**
	 * Presses "Execute workflow" at a trigger node, and sees what the editor shows, also of executions that are not saved.
	 * @param {string} id
	 * @param {string} trigger the node's name
	 * @returns {Promise<{ executionId: string, shown: Record<string, Item[]> }>} by node, the items of its first output
	 */
	async watch(id, trigger) {
		const pushRef = randomBytes(8).toString('hex');
		const address = `${this.#url.replace(/^http/, 'ws')}/rest/push?pushRef=${pushRef}`;
		// Node's WebSocket takes headers; its types, which are the browser's, do not say so.
		const options = /** @type {any} */ ({ headers: { cookie: this.#cookie, origin: this.#url } });
		const socket = new WebSocket(address, options);
		socket.binaryType = 'arraybuffer';
		/** @type {Record<string, Item[]>} */
		const shown = {};
		try {
			await new Promise((resolve, reject) => {
				socket.onopen = resolve;
				socket.onerror = () => reject(new Error(`n8n refuses ${address}`));
			});
			const finished = new Promise((resolve, reject) => {
				socket.onclose = () => reject(new Error('n8n closed the connection of the editor'));
				socket.onmessage = ({ data }) => {
					const { type, data: told } = JSON.parse(typeof data === 'string' ? data : Buffer.from(data).toString());
					if (type === 'nodeExecuteAfterData') shown[told.nodeName] = told.data.data?.main?.[0] ?? [];
					if (type === 'executionFinished') resolve(told);
				};
			});
			const run = { triggerToStartFrom: { name: trigger } };
			const response = await this.#fetch('POST', `/rest/workflows/${id}/run`, run, { 'push-ref': pushRef });
			const { data } = /** @type {any} */ (await response.json());
			await finished;
			return { executionId: String(data.executionId), shown };
		} finally {
			socket.onclose = null;
			socket.close();
		}
	}

	/** Presses "Stop". @param {string} executionId */
	async cancel(executionId) {
		await this.rest('POST', `/executions/${executionId}/stop`);
	}

	/**
	 * The newest executions of a workflow, by any trigger, newest first.
	 * @param {string} workflowId
	 * @returns {Promise<{ id: string, status: string, mode: string }[]>}
	 */
	async executions(workflowId) {
		return (await this.api('GET', `/executions?workflowId=${workflowId}&limit=20`)).data;
	}

	/**
	 * Waits until an execution has ended.
	 * @param {string} executionId
	 * @param {{ timeoutMs?: number }} [options]
	 * @returns {Promise<Execution>}
	 */
	async ended(executionId, { timeoutMs = 120_000 } = {}) {
		const deadline = Date.now() + timeoutMs;
		for (let pause = 50; ; pause = Math.min(pause * 1.25, LONGEST_PAUSE_MS)) {
			// While its database does not answer n8n's pings, as on a very busy machine, n8n answers nobody, and comes back by itself.
			const { status } = await this.api('GET', `/executions/${executionId}`).catch((error) => {
				if (!/: 50[03] /.test(error.message) || Date.now() > deadline) throw error;
				return { status: error.message };
			});
			// What it did is asked for once: it takes n8n long to read.
			if (ENDED.includes(status)) return readable(await this.api('GET', `/executions/${executionId}?includeData=true`));
			if (Date.now() > deadline)
				throw new Error(`execution ${executionId} is still ${status} after ${timeoutMs / 1000} s`);
			await delay(pause);
		}
	}

	/**
	 * @param {string} method
	 * @param {string} path
	 * @param {unknown} [body]
	 * @param {Record<string, string>} [headers]
	 */
	async #fetch(method, path, body, headers = {}) {
		const response = await fetch(this.#url + path, {
			method,
			headers: {
				...headers,
				...(body === undefined ? {} : { 'content-type': 'application/json' }),
				...(path.startsWith('/api/') ? { 'x-n8n-api-key': this.#apiKey } : { cookie: this.#cookie }),
			},
			body: body === undefined ? undefined : JSON.stringify(body),
			signal: AbortSignal.timeout(60_000),
		});
		if (!response.ok)
			throw new Error(`${method} ${path}: ${response.status} ${(await response.text()).slice(0, 1000)}`);
		return response;
	}
}

/**
 * n8n's record of an execution, by node.
 * @param {any} execution
 * @returns {Execution}
 */
function readable({ id, status, data }) {
	const { runData = {}, error } = data?.resultData ?? {};
	/** @type {Execution['nodes']} */
	const nodes = {};
	for (const [name, runs] of Object.entries(runData)) {
		nodes[name] = /** @type {any[]} */ (runs).map((run) => ({
			status: run.executionStatus,
			error: run.error,
			output: (run.data?.main ?? []).map((/** @type {Item[] | null} */ items) => items ?? []),
			hints: run.hints ?? [],
		}));
	}
	return { id: String(id), status, error, nodes };
}
