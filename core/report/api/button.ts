/**
 * Buttons of the page. Each is a form with a token that only a page for the same person could hold, since it is made with what that person
 * proves to be by: another site can send a form in somebody's name, and does not know that. A token is good for one press, because the
 * key of the request that it becomes is part of it.
 */
import { createHmac, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import type { Depth } from '../../records/evidence';
import type { ApiRequest } from './call';
import { Problem } from './problem';

/** What a button does, as a call of the API. */
export const BUTTONS = {
	backup: { call: 'backup', depth: null },
	verify: { call: 'verify', depth: 'readable' },
	drill: { call: 'verify', depth: 'restored' },
} as const satisfies Record<string, { call: 'backup' | 'verify'; depth: Depth | null }>;

export type Button = keyof typeof BUTTONS;

/** So long a page may stand open, milliseconds. */
const GOOD_MS = 3_600_000;
const TOKEN = /^([0-9a-z]{8,9})\.([0-9a-f]{24})\.([0-9a-f]{64})$/;

/** Makes and checks the tokens of one person. */
export class ButtonTokens {
	readonly #key: Buffer;

	/**
	 * @param caller what proves who asks: the header Authorization. Whoever gets hold of a token shall not be able to try passwords
	 *   with it, hence the slow derivation, some 50 ms.
	 */
	constructor(caller: string) {
		this.#key = scryptSync(caller, 'n8n-nodes-backup: buttons', 32);
	}

	make(button: Button, group: string, now: Date): string {
		const until = (now.getTime() + GOOD_MS).toString(36);
		const nonce = randomBytes(12).toString('hex');
		return `${until}.${nonce}.${this.#mac(until, nonce, button, group).toString('hex')}`;
	}

	/**
	 * @returns the key of the request: the same for each press of the same button of the same page
	 * @throws Problem 'stale-button'
	 */
	check(token: unknown, button: Button, group: string, now: Date): string {
		const [, until, nonce, mac] = TOKEN.exec(plain(token)) ?? [];
		const isOurs =
			mac !== undefined && timingSafeEqual(Buffer.from(mac, 'hex'), this.#mac(until!, nonce!, button, group));
		if (isOurs && parseInt(until!, 36) >= now.getTime()) return nonce!;
		const hint = 'Open the page again, and press its button.';
		throw new Problem('stale-button', 'the button is of a page of somebody else, or an hour old', hint);
	}

	#mac(...parts: [until: string, nonce: string, button: Button, group: string]): Buffer {
		return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest();
	}
}

/**
 * A press of a button as the call of the API that it is.
 * @param request as the webhook gives it: a form with `button`, `group` and `token`
 * @throws Problem where it cannot be one, or its token is not good
 */
export function readPress(
	{ headers, body }: Pick<ApiRequest, 'headers'> & { body: Readonly<Record<string, unknown>> },
	now: Date,
): ApiRequest {
	const { authorization } = headers;
	if (typeof authorization !== 'string' || authorization === '') {
		const hint = 'Choose Basic Auth in the Webhook node: the tokens of the buttons are made with it.';
		throw new Problem('not-allowed', 'the webhook does not ask who presses', hint);
	}
	const button = plain(body.button);
	if (!isButton(button)) throw new Problem('not-found', 'there is no such button', 'Open the page again.');
	const group = plain(body.group);
	const key = new ButtonTokens(authorization).check(body.token, button, group, now);
	const { call, depth } = BUTTONS[button];
	return {
		...{ method: 'POST', role: 'operator', call, query: {} },
		headers: { 'content-type': 'application/json', 'idempotency-key': key, 'x-requested-by': 'a button of the page' },
		body: depth === null ? { group } : { group, depth },
	};
}

/** As it came: what is checked must be what is used. */
function plain(value: unknown): string {
	return typeof value === 'string' ? value : '';
}

function isButton(name: string): name is Button {
	return Object.hasOwn(BUTTONS, name);
}
