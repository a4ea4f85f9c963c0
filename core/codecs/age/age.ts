/**
 * Encryption in the age v1 format (c2sp.org/age): a header that wraps a file key, then the payload in chunks of 64 KiB,
 * each sealed with ChaCha20-Poly1305 under its number and a flag on the last. What `age` writes opens here, and the other
 * way round. The payload uses `node:crypto`, many times faster than the stream of the age-encryption library.
 */
import { createCipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { BackupError } from '../../base/errors';
import { ArmorDecoder } from './armor';
import { assertDecryptionKeys, createHeader, type DecryptionKeys, type Encryption, openHeader } from './header';
import { HeaderReader } from './header-reader';
import { ByteQueue } from '../zstd/byte-queue';
import { CHUNK, chunkNonce, CIPHER, NONCE_BYTES, openSealed, payloadKey, SEALED_CHUNK, TAG_BYTES } from './payload';

export type { DecryptionKeys, Encryption } from './header';

/**
 * Encrypts a stream for the recipients, or with the passphrase.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export async function ageEncrypt(encryption: Encryption): Promise<Transform> {
	const { header, fileKey } = await createHeader(encryption);
	return new Encryptor(header, fileKey);
}

/**
 * Decrypts an age file, binary or armored. Gives only bytes that were verified, and ends only after the chunk that is
 * flagged as the last. Errors with BackupError 'wrong-identity', 'damaged' (also when truncated) or 'unsupported', after
 * the reader has taken everything that was good until there. `details.part` of a damage: armor, header or payload.
 * @throws BackupError 'invalid-input', 'unsupported' when the keys cannot be used
 */
export function ageDecrypt(keys: DecryptionKeys): Transform {
	assertDecryptionKeys(keys);
	return new Decryptor(keys);
}

class Encryptor extends Transform {
	readonly #pending = new ByteQueue();
	readonly #nonces = new ChunkNonces();
	readonly #key: KeyObject;

	constructor(header: Buffer, fileKey: Buffer) {
		super();
		const nonce = randomBytes(NONCE_BYTES);
		this.#key = payloadKey(fileKey, nonce);
		this.push(Buffer.concat([header, nonce]));
	}

	override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		this.#pending.append(bytes);
		// One byte more must be there: a full chunk may be the last one, and the last one is sealed otherwise.
		const chunks = Math.max(0, Math.ceil(this.#pending.length / CHUNK) - 1);
		if (chunks === 0) return done();
		const sealed = Buffer.allocUnsafe(chunks * SEALED_CHUNK);
		for (let i = 0; i < chunks; i++) this.#seal(CHUNK, false, sealed, i * SEALED_CHUNK);
		done(null, sealed);
	}

	override _flush(done: TransformCallback): void {
		const size = this.#pending.length;
		const sealed = Buffer.allocUnsafe(size + TAG_BYTES);
		this.#seal(size, true, sealed, 0);
		done(null, sealed);
	}

	/** Seals the next `size` pending bytes into `target`. */
	#seal(size: number, last: boolean, target: Buffer, start: number): void {
		const cipher = createCipheriv(CIPHER, this.#key, this.#nonces.next(last), { authTagLength: TAG_BYTES });
		let at = start;
		for (const piece of this.#pending.takePieces(size)) at += cipher.update(piece).copy(target, at);
		cipher.final();
		cipher.getAuthTag().copy(target, at);
	}
}

class Decryptor extends Transform {
	readonly #keys: DecryptionKeys;
	readonly #nonces = new ChunkNonces();
	readonly #pending = new ByteQueue();
	/** Undefined until the first byte says which form the file has; null for the binary one. */
	#armor: ArmorDecoder | null | undefined;
	/** Null once the header is read. */
	#reader: HeaderReader | null = new HeaderReader();
	#fileKey: Buffer | null = null;
	#key: KeyObject | null = null;
	/** An error that waits until the reader has taken what is good. */
	#failure: Error | null = null;

	constructor(keys: DecryptionKeys) {
		super();
		this.#keys = keys;
	}

	override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		this.#take(bytes).then(
			() => done(),
			(error: Error) => this.#fail(error),
		);
	}

	override _flush(done: TransformCallback): void {
		try {
			this.#end();
			done();
		} catch (error) {
			this.#fail(error as Error);
		}
	}

	override read(size?: number): Buffer | null {
		const bytes = super.read(size) as Buffer | null;
		if (this.#failure) this.#fail(this.#failure);
		return bytes;
	}

	async #take(bytes: Buffer): Promise<void> {
		if (this.#armor === undefined && bytes.length > 0) this.#armor = isBinary(bytes) ? null : new ArmorDecoder();
		const file = this.#armor ? this.#armor.decode(bytes) : bytes;
		if (this.#reader) {
			const rest = this.#reader.take(file);
			if (!rest) return;
			this.#fileKey = await openHeader(this.#reader.header, this.#keys);
			this.#reader = null;
			this.#pending.append(rest);
		} else {
			this.#pending.append(file);
		}
		if (!this.#key && this.#fileKey && this.#pending.length >= NONCE_BYTES) {
			this.#key = payloadKey(this.#fileKey, this.#pending.take(NONCE_BYTES));
		}
		if (this.#key) this.#openChunks(this.#key, SEALED_CHUNK + 1);
	}

	#end(): void {
		this.#armor?.end();
		this.#reader?.end();
		if (!this.#key) throw damaged('header', 'the encrypted file is truncated: it ends right after its header');
		this.#openChunks(this.#key, 0);
	}

	/** Opens chunks as long as `enough` bytes are there: 0 says that nothing follows and the last chunk must come. */
	#openChunks(key: KeyObject, enough: number): void {
		const opened: Buffer[] = [];
		let failure: BackupError | null = null;
		if (enough === 0) failure = this.#openChunk(key, true, opened);
		else while (!failure && this.#pending.length >= enough) failure = this.#openChunk(key, false, opened);
		if (opened.length > 0) this.push(opened.length === 1 ? opened[0] : Buffer.concat(opened));
		if (failure) throw failure;
	}

	/** Adds the next chunk's original bytes to `opened`. Returns what is wrong with the chunk, or null. */
	#openChunk(key: KeyObject, last: boolean, opened: Buffer[]): BackupError | null {
		const size = Math.min(this.#pending.length, SEALED_CHUNK);
		if (size < TAG_BYTES) return damaged('payload', 'the encrypted file is truncated');
		if (size === TAG_BYTES && this.#nonces.count > 0)
			return damaged('payload', 'the last chunk of the encrypted file is empty');
		const sealed = this.#pending.takePieces(size - TAG_BYTES);
		const tag = this.#pending.take(TAG_BYTES);
		const pieces = openSealed(key, this.#nonces.next(last), sealed, tag);
		if (pieces) {
			opened.push(...pieces);
			return null;
		}
		// A whole chunk with the other flag is genuine as well, and tells what happened to the file.
		const genuine = size === SEALED_CHUNK ? openSealed(key, this.#nonces.same(!last), sealed, tag) : null;
		if (!genuine) return damaged('payload', 'the encrypted file is damaged, or truncated inside a chunk');
		opened.push(...genuine);
		return damaged(
			'payload',
			last ? 'the encrypted file is truncated' : 'something follows the end of the encrypted file',
		);
	}

	/** Errors the stream as soon as the reader has taken everything that is good. */
	#fail(error: Error): void {
		this.#failure = error;
		if (this.readableLength === 0) process.nextTick(() => this.destroy(error));
	}
}

/** The nonces of chunks that come one after the other. */
class ChunkNonces {
	#count = 0;

	/** How many chunks have had their nonce. */
	get count(): number {
		return this.#count;
	}

	next(last: boolean): Buffer {
		this.#count++;
		return this.same(last);
	}

	/** The nonce of the same chunk again. */
	same(last: boolean): Buffer {
		return chunkNonce(this.#count - 1, last);
	}
}

/** Binary age files start with "age-encryption.org"; in armored ones white space or a dash comes first. */
function isBinary(start: Buffer): boolean {
	return start[0] === 'a'.charCodeAt(0);
}

function damaged(part: 'header' | 'payload', message: string): BackupError {
	return new BackupError('damaged', message, { details: { part } });
}
