/**
 * "Only if absent": `If-None-Match: *` with a request that makes an object. Amazon S3, R2, MinIO and Ceph heed it; Backblaze B2
 * refuses such a request (501), and Google Cloud Storage ignores it, since it has a condition of its own.
 */
import { S3Refusal } from './errors';

type Headers = Record<string, string>;

/** Sent with a request that makes an object. */
export const CONDITION: Headers = { 'if-none-match': '*' };
/** The status of an answer that says that the server does not know a header. */
export const NOT_IMPLEMENTED = 501;

/** Makes objects on that condition as long as the server does not refuse to know it. */
export class CreateOnly {
	#isRefused = false;

	/** @param send the request, with these headers besides its own; once more without them where the server refuses them */
	async send<T>(send: (condition: Headers) => Promise<T>): Promise<T> {
		if (this.#isRefused) return await send({});
		try {
			return await send(CONDITION);
		} catch (error) {
			if (!(error instanceof S3Refusal && error.status === NOT_IMPLEMENTED)) throw error;
			// Another header may be what it does not know: then it refuses this one as well.
			const answer = await send({});
			this.#isRefused = true;
			return answer;
		}
	}
}
