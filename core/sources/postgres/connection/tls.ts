/** How a connection to PostgreSQL becomes encrypted: the client asks in clear text, the server answers with one letter. */
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { BackupError } from '../../../base/errors';
import { describeTarget, type DatabaseTarget } from './target';

/** SSLRequest: length 8, code 80877103 (PostgreSQL manual, "Message Formats"). */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/**
 * Encrypts a fresh connection as the target wants it; `prefer` takes what the server offers. The result owns the socket.
 * @throws BackupError 'unsupported' when TLS is demanded and not offered; errors of node:tls
 */
export async function encrypt(socket: Duplex, target: DatabaseTarget, signal: AbortSignal): Promise<Duplex> {
	socket.write(SSL_REQUEST);
	const answer = await firstByte(socket, signal);
	if (answer === 'N') {
		if (target.tls === 'prefer') return socket;
		throw new BackupError('unsupported', `${describeTarget(target)}: the server does not offer TLS`, {
			hint: 'Set "ssl = on" in the server’s configuration, or turn TLS off in the credential if the network is trusted.',
		});
	}
	if (answer !== 'S') {
		throw new BackupError('unreachable', `${target.host}:${target.port} does not answer as PostgreSQL does`, {
			hint: 'Check host and port: something else listens there, or the server refuses every connection at the moment.',
		});
	}
	const encrypted = tls.connect({
		socket,
		// Needed for the comparison with the certificate; a server name must be a name (RFC 6066, section 3).
		host: target.host,
		servername: net.isIP(target.host) ? '' : target.host,
		ca: trustedAuthorities(target),
		rejectUnauthorized: target.tls === 'verify',
	});
	socket.on('error', (error) => encrypted.destroy(error));
	encrypted.once('close', () => socket.destroy());
	try {
		await once(encrypted, 'secureConnect', { signal });
		return encrypted;
	} catch (error) {
		encrypted.on('error', () => undefined); // the first error is the one that counts
		encrypted.destroy();
		throw error;
	}
}

/** What Node trusts, and the authority of the target. */
export function trustedAuthorities(target: DatabaseTarget): string[] {
	return target.ca ? [...tls.getCACertificates('default'), target.ca] : tls.getCACertificates('default');
}

async function firstByte(socket: Duplex, signal: AbortSignal): Promise<string> {
	const closed = new AbortController();
	const onClose = () => closed.abort(new BackupError('connection-lost', 'the server closed the connection at once'));
	socket.once('close', onClose).once('end', onClose);
	try {
		let bytes: Buffer | null = null;
		while ((bytes = socket.read() as Buffer | null) === null) {
			closed.signal.throwIfAborted();
			await once(socket, 'readable', { signal: AbortSignal.any([signal, closed.signal]) });
		}
		// More than the letter, before TLS, can only come from somebody in between (CVE-2021-23222).
		return bytes.length === 1 ? bytes.toString('latin1') : '';
	} catch (error) {
		throw closed.signal.aborted ? (closed.signal.reason as Error) : error;
	} finally {
		socket.off('close', onClose).off('end', onClose);
	}
}
