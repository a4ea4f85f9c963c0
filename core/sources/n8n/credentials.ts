/**
 * Whether n8n's credentials open with a key, as n8n 2.40 opens them (its `KeyManagerService` and `Cipher.decryptV2`). What is in a credential
 * never leaves this file: only counts do. Runs in worker threads as well.
 */
import { type CipherName, decrypt, wrappingKey } from './cipher.ts';

/** A row of n8n's table `deployment_key`, which older ones do not have. */
export interface KeyRow {
	id: string;
	type: string;
	value: string;
	algorithm: string | null;
}

/** How many there are, and how many of them open. */
export interface Opened {
	credentials: number;
	openCredentials: number;
	/** n8n's own: data keys, and what it signs with. */
	keys: number;
	openKeys: number;
}

/** In front of what a data key has encrypted: the id of that key, and a colon. */
const KEY_ID = /^[A-Za-z0-9_-]{1,36}$/;
const RAW_KEY = /^[0-9a-f]{64}$/i;
/** "Salted", in base64: how earlier versions wrapped data keys. n8n wraps them anew when it starts. */
const WRAPPED_BY_CBC = 'U2FsdGVk';

interface DataKey {
	cipher: CipherName;
	/** null where the instance key does not open it. */
	secret: string | null;
}

/** The keys of one n8n, as far as its instance key opens them. */
export class Keyring {
	readonly #instanceKey: string;
	readonly #dataKeys = new Map<string, DataKey>();
	/** For what has no key's id in front. */
	readonly #unnamed: DataKey;
	readonly keys: number;
	readonly openKeys: number;

	/** @param instanceKey `N8N_ENCRYPTION_KEY`, which stands in n8n's `config` as well */
	constructor(instanceKey: string, rows: readonly KeyRow[]) {
		this.#instanceKey = instanceKey;
		for (const { id, type, value, algorithm } of rows) {
			if (type !== 'data_encryption' || !isCipher(algorithm)) continue;
			this.#dataKeys.set(id, { cipher: algorithm, secret: this.#unwrap(value) });
		}
		const unnamed = [...this.#dataKeys.values()].find(({ cipher }) => cipher === 'aes-256-cbc');
		this.#unnamed = unnamed ?? { cipher: 'aes-256-cbc', secret: instanceKey };
		const signing = rows.filter(({ type, algorithm }) => type.startsWith('signing.') && algorithm === 'aes-256-gcm');
		const dataKeys = [...this.#dataKeys.values()];
		this.keys = dataKeys.length + signing.length;
		this.openKeys =
			dataKeys.filter(({ secret }) => secret !== null).length +
			signing.filter(({ value }) => this.#unwrap(value) !== null).length;
	}

	/** Whether a credential's `data` opens and is what n8n writes: an object in JSON. */
	opens(data: string): boolean {
		const colon = data.indexOf(':');
		const id = data.slice(0, colon);
		if (colon !== -1 && !KEY_ID.test(id)) return false;
		const key = colon === -1 ? this.#unnamed : this.#dataKeys.get(id);
		if (!key || key.secret === null) return false;
		const plain = decrypt(key.cipher, data.slice(colon + 1), key.secret);
		return plain !== null && isObject(plain);
	}

	#unwrap(value: string): string | null {
		const wrapped = decrypt('aes-256-gcm', value, wrappingKey(this.#instanceKey));
		if (wrapped) return wrapped.toString('utf8');
		if (value === this.#instanceKey || RAW_KEY.test(value)) return value;
		if (!value.startsWith(WRAPPED_BY_CBC)) return null;
		const raw = decrypt('aes-256-cbc', value, this.#instanceKey)?.toString('latin1');
		return raw !== undefined && RAW_KEY.test(raw) ? raw : null;
	}
}

/**
 * Tries a key with every credential.
 * @param instanceKey null where there is none: then nothing opens
 * @param credentials the column `data` of each
 */
export async function countOpened(
	instanceKey: string | null,
	keys: readonly KeyRow[],
	credentials: AsyncIterable<string> | Iterable<string>,
): Promise<Opened> {
	const keyring = new Keyring(instanceKey ?? '', keys);
	const opened: Opened = { credentials: 0, openCredentials: 0, keys: keyring.keys, openKeys: keyring.openKeys };
	for await (const data of credentials) {
		opened.credentials++;
		if (instanceKey !== null && keyring.opens(data)) opened.openCredentials++;
	}
	return opened;
}

function isCipher(algorithm: string | null): algorithm is CipherName {
	return algorithm === 'aes-256-cbc' || algorithm === 'aes-256-gcm';
}

function isObject(plain: Buffer): boolean {
	try {
		const value: unknown = JSON.parse(plain.toString('utf8'));
		return typeof value === 'object' && value !== null && !Array.isArray(value);
	} catch {
		return false;
	}
}
