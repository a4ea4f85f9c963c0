/** Which database to talk to, and how: everything a connection needs, and nothing of n8n. Holds secrets: never print it. */

/** How much TLS is asked for. `verify`: the certificate must be trusted and name the host. `encrypt`: TLS, certificate not checked. */
export type TlsMode = 'off' | 'prefer' | 'encrypt' | 'verify';

export interface SshTunnel {
	host: string;
	port: number;
	user: string;
	password?: string;
	/** PEM or OpenSSH text. */
	privateKey?: string;
	/** Of the private key. */
	passphrase?: string;
}

export interface DatabaseTarget {
	host: string;
	port: number;
	database: string;
	user: string;
	password?: string;
	tls: TlsMode;
	/** PEM of a certificate authority to trust besides the system's. */
	ca?: string;
	/** Reach host and port through this SSH server. */
	ssh?: SshTunnel;
	/** How long the server may owe an answer in silence, milliseconds: see silence.ts. */
	patienceMs?: number;
}

/** For people: "shop on db.example.org:5432". Never a secret. */
export function describeTarget(target: DatabaseTarget): string {
	const host = target.host.includes(':') ? `[${target.host}]` : target.host;
	return `${target.database} on ${host}:${target.port}${target.ssh ? ` through ${target.ssh.host}` : ''}`;
}
