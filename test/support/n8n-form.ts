/** A person at a form of n8n: sees its pages, fills fields in by their labels, submits, and waits for the next page. */
import { setTimeout as delay } from 'node:timers/promises';

const WAIT_MS = 120_000;

export interface FormPage {
	title: string;
	/** All that a person reads on the page. */
	text: string;
	/** Labels of its fields, in order; none on the last page. */
	labels: string[];
	/** What a field of the page offers to choose from. */
	choices(label: string): string[];
	/** Fills in the fields that are named, leaves the others as they are, and submits. @returns the next page */
	submit(values: Record<string, string>): Promise<FormPage>;
}

interface Login {
	user: string;
	password: string;
}

/**
 * Opens a form that asks for a name and a password.
 * @param url "http://127.0.0.1:5678/form/restore"
 * @throws Error with n8n's answer
 */
export async function openForm(url: string, { user, password }: Login): Promise<FormPage> {
	return await new Visit(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`).open(url);
}

class Visit {
	constructor(private readonly authorization: string) {}

	async open(url: string): Promise<FormPage> {
		const html = await (await this.#fetch(url)).text();
		// The last page reports to n8n that it was shown; only then does the execution end.
		if (!html.includes("id='n8n-form'")) await this.#fetch(url, { method: 'POST' });
		return this.#page(url, html);
	}

	#page(url: string, html: string): FormPage {
		const fields = fieldsOf(html);
		return {
			title: textOf(/<h1>([\s\S]*?)<\/h1>/.exec(html)?.[1] ?? ''),
			text: textOf(/<body[\s\S]*/.exec(html)?.[0] ?? ''),
			labels: fields.filter(({ label }) => label !== null).map(({ label }) => label!),
			choices: (label) => fieldNamed(fields, label).choices,
			submit: async (values) => {
				for (const label of Object.keys(values)) fieldNamed(fields, label);
				const body = new FormData();
				for (const field of fields) body.append(field.id, (field.label && values[field.label]) ?? field.value);
				const token = /authToken = '([^']*)'/.exec(html)?.[1];
				const headers = token ? { 'x-auth-token': token } : undefined;
				const answer = await (await this.#fetch(url, { method: 'POST', body, headers })).text();
				// The first page is answered with the address of the following ones; those keep their own.
				return await this.#next(answer.startsWith('{') ? String(JSON.parse(answer).formWaitingUrl) : url);
			},
		};
	}

	async #next(url: string): Promise<FormPage> {
		const status = new URL(url);
		status.pathname += '/n8n-execution-status';
		const deadline = Date.now() + WAIT_MS;
		for (;;) {
			const state = await (await this.#fetch(status.toString())).text();
			if (state === 'form-waiting') return await this.open(url);
			if (!['running', 'new', 'waiting'].includes(state)) throw new Error(`the form ended with "${state}"`);
			if (Date.now() > deadline) throw new Error(`the form's execution is still ${state}`);
			await delay(100);
		}
	}

	async #fetch(url: string, { headers, ...rest }: RequestInit = {}): Promise<Response> {
		const response = await fetch(url, {
			...rest,
			headers: { authorization: this.authorization, ...(headers as Record<string, string>) },
			signal: AbortSignal.timeout(WAIT_MS),
		});
		if (!response.ok) throw new Error(`${rest.method ?? 'GET'} ${url}: ${response.status} ${await response.text()}`);
		return response;
	}
}

interface Field {
	/** "field-0", as n8n names it. */
	id: string;
	/** null for a hidden one. */
	label: string | null;
	value: string;
	choices: string[];
}

function fieldNamed(fields: Field[], label: string): Field {
	const field = fields.find((each) => each.label === label);
	if (!field) throw new Error(`the page has no field "${label}", only ${fields.map((each) => each.label).join(', ')}`);
	return field;
}

/** The fields of n8n's form page, as its browser code collects them. */
function fieldsOf(html: string): Field[] {
	const form = /<form[\s\S]*?<\/form>/.exec(html)?.[0] ?? '';
	const labels = new Map(
		[...form.matchAll(/<label class='form-label[^']*' for='(field-\d+)'>([\s\S]*?)<\/label>/g)].map(
			([, id, label]) => [id, textOf(label!)] as const,
		),
	);
	const elements = form.matchAll(/<(select|input|textarea)\b([^>]*)>(?:([\s\S]*?)<\/(?:select|textarea)>)?/g);
	return [...elements].flatMap(([, kind, attributes = '', inner = '']) => {
		const id = attribute(attributes, 'id');
		if (!id.startsWith('field-')) return [];
		const options = [...inner.matchAll(/<option value='([^']*)'([^>]*)>/g)];
		const selected = options.find(([, , more]) => more?.includes('selected'))?.[1] ?? '';
		const value = { select: selected, input: attribute(attributes, 'value'), textarea: inner }[kind!] ?? '';
		const choices = options.map(([, choice]) => unescaped(choice!)).filter((choice) => choice !== '');
		return [{ id, label: labels.get(id) ?? null, value: unescaped(value), choices }];
	});
}

function attribute(attributes: string, name: string): string {
	const match = new RegExp(`\\b${name}=(?:"([^"]*)"|'([^']*)')`).exec(attributes);
	return match?.[1] ?? match?.[2] ?? '';
}

function textOf(html: string): string {
	const visible = html.replace(/<(script|style|svg)[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' ');
	return unescaped(visible).replace(/\s+/g, ' ').trim();
}

function unescaped(text: string): string {
	const names: Record<string, string> = { lt: '<', gt: '>', quot: '"', amp: '&', nbsp: ' ' };
	return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) =>
		hex || decimal ? String.fromCodePoint(parseInt(hex ?? decimal!, hex ? 16 : 10)) : (names[name!] ?? whole),
	);
}
