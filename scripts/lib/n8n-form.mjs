/** A person at a form of n8n: sees its pages, fills fields in by their labels, submits, and waits for the next page. */
import { setTimeout as delay } from 'node:timers/promises';

const WAIT_MS = 120_000;
/** Of an execution that will show another page, or end. */
const GOING_ON = ['new', 'running', 'waiting'];

/**
 * @typedef {import('./n8n-form.d.mts').FormPage} FormPage
 * @typedef {{ id: string, label: string | null, value: string, choices: string[] }} Field `label` is null where it is hidden
 */

/**
 * @param {string} url
 * @param {{ user: string, password: string }} login
 * @returns {Promise<FormPage>}
 */
export async function openForm(url, { user, password }) {
	return await new Visit(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`).open(url);
}

class Visit {
	#authorization;

	/** @param {string} authorization */
	constructor(authorization) {
		this.#authorization = authorization;
	}

	/** @param {string} url @returns {Promise<FormPage>} */
	async open(url) {
		const html = await (await this.#fetch(url)).text();
		// The last page tells n8n that it was shown; only then does the execution end.
		if (!html.includes("id='n8n-form'")) await this.#fetch(url, { method: 'POST' });
		const fields = fieldsOf(html);
		return {
			title: textOf(/<h1>([\s\S]*?)<\/h1>/.exec(html)?.[1] ?? ''),
			text: textOf(/<body[\s\S]*/.exec(html)?.[0] ?? ''),
			links: Object.fromEntries(
				[...html.matchAll(/<a\b([^>]*)>([\s\S]*?)<\/a>/g)].map(([, attributes = '', inner = '']) => [
					textOf(inner),
					unescaped(attribute(attributes, 'href')),
				]),
			),
			labels: fields.flatMap(({ label }) => label ?? []),
			choices: (label) => fieldNamed(fields, label).choices,
			submit: async (values) => {
				for (const label of Object.keys(values)) fieldNamed(fields, label);
				const body = new FormData();
				for (const { id, label, value } of fields) body.append(id, values[label ?? ''] ?? value);
				const token = /authToken = '([^']+)'/.exec(html)?.[1];
				const headers = token ? { 'x-auth-token': token } : undefined;
				const answer = await (await this.#fetch(url, { method: 'POST', body, headers })).text();
				// The first page is answered with the address of those that follow; they keep theirs.
				return await this.#next(answer.startsWith('{') ? JSON.parse(answer).formWaitingUrl : url);
			},
		};
	}

	/** @param {string} url @returns {Promise<FormPage>} */
	async #next(url) {
		const status = new URL(url);
		status.pathname += '/n8n-execution-status';
		const deadline = Date.now() + WAIT_MS;
		for (;;) {
			const state = await (await this.#fetch(status.toString())).text();
			if (state === 'form-waiting') return await this.open(url);
			if (!GOING_ON.includes(state)) throw new Error(`the form ended with "${state}" instead of another page`);
			if (Date.now() > deadline) throw new Error(`no page of the form within ${WAIT_MS / 1000} s: ${state}`);
			await delay(250);
		}
	}

	/**
	 * @param {string} url
	 * @param {{ method?: string, body?: FormData, headers?: Record<string, string> }} [options]
	 */
	async #fetch(url, { headers, ...options } = {}) {
		const response = await fetch(url, {
			...options,
			headers: { authorization: this.#authorization, ...headers },
			signal: AbortSignal.timeout(WAIT_MS),
		});
		if (!response.ok)
			throw new Error(`${options.method ?? 'GET'} ${url}: ${response.status} ${(await response.text()).slice(0, 500)}`);
		return response;
	}
}

/** @param {Field[]} fields @param {string} label */
function fieldNamed(fields, label) {
	const field = fields.find((each) => each.label === label);
	if (!field) throw new Error(`the page has no field "${label}", only ${fields.map((each) => each.label).join(', ')}`);
	return field;
}

/** The fields of n8n's form page, as its code in the browser collects them. @param {string} html @returns {Field[]} */
function fieldsOf(html) {
	const form = /<form[\s\S]*?<\/form>/.exec(html)?.[0] ?? '';
	const labels = form.matchAll(/<label class='form-label[^']*' for='(field-\d+)'>([\s\S]*?)<\/label>/g);
	const labelOf = new Map([...labels].map(([, id, label = '']) => [id, textOf(label)]));
	const elements = form.matchAll(/<(?:(input)\b([^>]*)|(select|textarea)\b([^>]*)>([\s\S]*?)<\/\3)>/g);
	return [...elements].flatMap(([, input, its, kind, attributes = its ?? '', inner = '']) => {
		const id = attribute(attributes, 'id');
		if (!id.startsWith('field-')) return [];
		const options = [...inner.matchAll(/<option value='([^']*)'([^>]*)>/g)];
		const selected = options.find(([, , more]) => more?.includes('selected'))?.[1] ?? '';
		const value = input ? attribute(attributes, 'value') : kind === 'select' ? selected : inner;
		const choices = options.map(([, choice = '']) => unescaped(choice)).filter((choice) => choice !== '');
		return [{ id, label: labelOf.get(id) ?? null, value: unescaped(value), choices }];
	});
}

/** @param {string} attributes @param {string} name */
function attribute(attributes, name) {
	const match = new RegExp(`\\b${name}=(?:"([^"]*)"|'([^']*)')`).exec(attributes);
	return match?.[1] ?? match?.[2] ?? '';
}

/** @param {string} html */
function textOf(html) {
	const visible = html.replace(/<(script|style|svg)[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' ');
	return unescaped(visible).replace(/\s+/g, ' ').trim();
}

/** @type {Record<string, string>} */
const CHARACTERS = { lt: '<', gt: '>', quot: '"', amp: '&', nbsp: ' ' };

/** @param {string} text */
function unescaped(text) {
	return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) =>
		hex || decimal ? String.fromCodePoint(parseInt(hex ?? decimal, hex ? 16 : 10)) : (CHARACTERS[name] ?? whole),
	);
}
