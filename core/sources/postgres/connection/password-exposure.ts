/**
 * Passwords that somebody on the way can read: sent as they are, or as an MD5 that can be used in their place, on a connection
 * without encryption. SCRAM, the default since PostgreSQL 14, gives nothing away.
 */
import type { Duplex } from 'node:stream';
import net from 'node:net';
import type { Client } from 'pg';
import type { DatabaseTarget } from './target';

const LOOPBACK = new net.BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const METHODS = {
	authenticationCleartextPassword: 'in clear text',
	authenticationMD5Password: 'as an MD5 hash',
} as const;

const warnings = new WeakMap<Client, string>();

/** Notices how the server asks for the password of a client that has not logged in yet. */
export function watchPassword(client: Client, socket: Duplex, target: DatabaseTarget): void {
	// A tunnel is no socket, and TLS is another kind of one: both are encrypted.
	if (target.ssh || !(socket instanceof net.Socket) || 'encrypted' in socket || isLocal(target.host)) return;
	for (const [event, how] of Object.entries(METHODS)) {
		client.connection.once(event, () => {
			const where = `${target.host}:${target.port}`;
			warnings.set(
				client,
				`the password of ${target.user} travels to ${where} ${how} on an unencrypted connection: turn on TLS, or set password_encryption = 'scram-sha-256' on the server and give the role its password again`,
			);
		});
	}
}

function isLocal(host: string): boolean {
	const family = net.isIP(host);
	return family === 0 ? host === 'localhost' : LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** What to say about the password that a client logged in with; null when nobody on the way could use it. */
export function passwordWarning(client: Client): string | null {
	return warnings.get(client) ?? null;
}
