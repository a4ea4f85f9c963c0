/**
 * Watches the first messages of a server until it is ready for queries. It takes SCRAM-SHA-256-PLUS out of the offered
 * methods: that one ties the password to the TLS connection, of which the client behind us knows nothing, and a client
 * that is offered it without TLS must assume an attack and give up.
 * Message formats: PostgreSQL manual, "Message Formats".
 */

/** Longer ones do not occur before the first query; then it is not PostgreSQL that speaks. */
const MAX_MESSAGE_BYTES = 64 * 1024;
const AUTHENTICATION_SASL = 10;
const CHANNEL_BINDING = 'SCRAM-SHA-256-PLUS';

export class StartupWatch {
	/** Process and secret key as the server sent them: what it takes to ask it to stop a query. */
	backendKey: Buffer | undefined;
	/** SQLSTATE of the refusal, when the server did not let the client in. */
	refusal: string | undefined;
	#done = false;
	#pending: Buffer = Buffer.alloc(0);

	/** @returns what to pass on to the client now */
	pass(chunk: Buffer): Buffer {
		if (this.#done) return chunk;
		// Copied: the memory of a chunk is used again.
		this.#pending = Buffer.concat([this.#pending, chunk]);
		const passed: Buffer[] = [];
		for (;;) {
			const length = this.#done ? this.#pending.length : this.#nextLength();
			if (length === 0 || this.#pending.length < length) break;
			const message = this.#pending.subarray(0, length);
			this.#pending = this.#pending.subarray(length);
			passed.push(this.#done ? message : this.#look(message));
			if (this.#pending.length === 0) break;
		}
		return Buffer.concat(passed);
	}

	/** Of the whole message, or 0 while unknown: one letter, then a length that counts itself. */
	#nextLength(): number {
		if (this.#pending.length < 5) return 0;
		const length = this.#pending.readUInt32BE(1) + 1;
		if (length >= 5 && length <= MAX_MESSAGE_BYTES) return length;
		this.#done = true;
		return this.#pending.length;
	}

	#look(message: Buffer): Buffer {
		switch (String.fromCharCode(message[0]!)) {
			case 'R':
				return message.readUInt32BE(5) === AUTHENTICATION_SASL ? withoutChannelBinding(message) : message;
			case 'K':
				this.backendKey = Buffer.from(message.subarray(5));
				break;
			case 'E':
				this.refusal = /(?:^|\0)C([0-9A-Z]{5})\0/.exec(message.subarray(5).toString('latin1'))?.[1];
				this.#done = true;
				break;
			case 'Z':
				this.#done = true;
				break;
		}
		return message;
	}
}

/** AuthenticationSASL: 'R', length, 10, names that each end with a zero, a zero. */
function withoutChannelBinding(message: Buffer): Buffer {
	const names = message.subarray(9).toString('latin1').split('\0').filter(Boolean);
	const kept = names.filter((name) => name !== CHANNEL_BINDING).map((name) => `${name}\0`);
	const result = Buffer.concat([message.subarray(0, 9), Buffer.from(`${kept.join('')}\0`, 'latin1')]);
	result.writeUInt32BE(result.length - 1, 1);
	return result;
}
