/** Ends a connection whose server sends more than any of our questions has an answer to. `pg` keeps an answer in memory as a whole. */
import type { Duplex } from 'node:stream';
import { BackupError } from '../../../base/errors';
import { describeTarget, type DatabaseTarget } from './target';

/** The longest is a list of all tables: about 11 MB for 100,000 of them. Short rows take ten times as much in memory. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Counts what comes since we said something last, until the socket closes; too much of it destroys the socket. */
export function limitAnswers(socket: Duplex, target: DatabaseTarget, maxBytes = MAX_ANSWER_BYTES): void {
	let bytes = 0;
	const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
	socket.write = ((...args: unknown[]) => {
		bytes = 0;
		return write(...args);
	}) as typeof socket.write;
	socket.on('data', (chunk: Buffer) => {
		bytes += chunk.length;
		if (bytes <= maxBytes) return;
		const error = new BackupError(
			'unsupported',
			`${describeTarget(target)}: the server sent more than ${Math.round(maxBytes / 1024 / 1024)} MB in answer to one question`,
			{ hint: 'No PostgreSQL server does that. Check host and port, and who answers there.' },
		);
		socket.destroy(error);
	});
}
