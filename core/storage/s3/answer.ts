/** The text of a server's answer, with a limit: a server that is broken or hostile may never stop. */
import type { IncomingMessage } from 'node:http';
import { BackupError } from '../../base/errors';

/** A page of a listing has at most 1,000 entries, whose names have at most 1,024 bytes, each of which may be written as six. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * @param place for messages: "s3://backups"
 * @throws BackupError 'unsupported' for more than any real answer has; the errors of the response
 */
export async function answerText(response: IncomingMessage, place: string): Promise<string> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of response as AsyncIterable<Buffer>) {
		chunks.push(chunk);
		bytes += chunk.length;
		// Leaving the loop closes the connection.
		if (bytes > MAX_BYTES) {
			throw new BackupError(
				'unsupported',
				`the server of ${place} answers with more than ${MAX_BYTES / 1024 ** 2} MB of text`,
				{
					hint: 'Check the endpoint: something else than an S3 server answers there, or it is broken.',
				},
			);
		}
	}
	return Buffer.concat(chunks).toString();
}
