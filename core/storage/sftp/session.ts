/** A connection to an SFTP server, made when it is needed and again when it was lost. */
import { createHash } from 'node:crypto';
import type { Client, ClientErrorExtensions, SFTPWrapper } from 'ssh2';
import { BackupError, messageOf } from '../../base/errors';

export interface SessionOptions {
	host: string;
	/** @default 22 */
	port?: number;
	user: string;
	password?: string;
	/** In OpenSSH's or PEM format. */
	privateKey?: string;
	passphrase?: string;
	/** The fingerprint of the server's host key, as `ssh-keygen -l` shows it: `SHA256:…`. Without it no connection is made. */
	hostKey?: string;
}

const READY_MS = 30_000;
/** A dead connection is noticed after this time without an answer, three times in a row. */
const KEEPALIVE_MS = 15_000;

/** `SHA256:…` of a host key, as OpenSSH writes it. */
export function fingerprintOf(key: Buffer): string {
	return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Requests of one connection. */
export interface SftpChannel {
	sftp: SFTPWrapper;
	/** Aborted with the reason when the connection is lost: what is asked for then is never answered. */
	lost: AbortSignal;
}

/** One connection at a time; whoever asks while it is being made waits for the same one. */
export class SftpSession {
	#opening: Promise<SftpChannel> | null = null;
	#client: Client | null = null;
	#closed = false;

	constructor(private readonly options: SessionOptions) {}

	/** The server, for people. */
	get where(): string {
		return `SFTP server ${this.options.host}:${this.options.port ?? 22}`;
	}

	/**
	 * The channel for requests.
	 * @throws BackupError 'unreachable', 'wrong-credentials', 'untrusted-certificate' for another host key than the pinned one
	 */
	async channel(): Promise<SftpChannel> {
		this.#assertOpen();
		this.#opening ??= this.#open();
		return await this.#opening;
	}

	#assertOpen(): void {
		if (this.#closed) throw new BackupError('invalid-input', 'the storage is closed');
	}

	close(): void {
		this.#closed = true;
		this.#client?.end();
		this.#client = null;
		this.#opening = null;
	}

	async #open(): Promise<SftpChannel> {
		// Loaded by who needs it.
		const { Client } = await import('ssh2');
		this.#assertOpen();
		const client = new Client();
		this.#client = client;
		let seen: string | null = null;
		const { promise, resolve, reject } = Promise.withResolvers<SftpChannel>();
		const lost = new AbortController();
		client.on('error', (error) => reject(this.#refusal(error, seen)));
		client.on('close', () => {
			// The next request makes a new connection.
			if (this.#client === client) this.#opening = null;
			const refusal = this.#refusal(new Error('the server closed the connection'), seen);
			lost.abort(refusal);
			reject(refusal);
		});
		client.on('ready', () => {
			client.setNoDelay(true);
			client.sftp((error, sftp) => {
				if (error)
					reject(
						new BackupError('unsupported', `${this.where} offers no SFTP: ${messageOf(error)}`, {
							hint: 'Enable its subsystem sftp, or use another server.',
							cause: error,
						}),
					);
				else resolve({ sftp, lost: lost.signal });
			});
		});
		const { host, port = 22, user, password, privateKey, passphrase, hostKey } = this.options;
		try {
			client.connect({
				...{ host, port, username: user, password, privateKey, passphrase },
				readyTimeout: READY_MS,
				keepaliveInterval: KEEPALIVE_MS,
				hostVerifier: (key: Buffer) => (seen = fingerprintOf(key)) === hostKey,
			});
			return await promise;
		} catch (error) {
			this.#opening = null;
			client.destroy();
			if (error instanceof BackupError) throw error;
			// ssh2 looks at the private key before it connects, and throws.
			throw new BackupError(
				'wrong-credentials',
				`the private key for the ${this.where} cannot be used: ${messageOf(error)}`,
				{
					hint: 'Paste the whole private key, and its passphrase if it has one.',
					cause: error,
				},
			);
		}
	}

	#refusal(error: Error & Partial<ClientErrorExtensions>, seen: string | null): BackupError {
		const { hostKey, user } = this.options;
		if (seen !== null && seen !== hostKey) {
			const isChanged = hostKey !== undefined && hostKey !== '';
			return new BackupError(
				'untrusted-certificate',
				isChanged
					? `the ${this.where} has another host key than the pinned one: ${seen}`
					: `the host key of the ${this.where} is not pinned; it is ${seen}`,
				{
					hint: isChanged
						? 'Somebody may be in between, or the server was set up anew. Ask its administrator for the fingerprint before you pin the new one.'
						: 'Compare it with what its administrator says (ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub on the server), and enter it as the host key.',
					cause: error,
				},
			);
		}
		if (error.level === 'client-authentication') {
			return new BackupError('wrong-credentials', `the ${this.where} did not let user "${user}" in`, {
				hint: 'Check the user and its password or private key.',
				cause: error,
			});
		}
		const lost = error.level === undefined && seen !== null;
		return new BackupError(lost ? 'connection-lost' : 'unreachable', `${this.where}: ${messageOf(error)}`, {
			hint: 'Check host and port, and that no firewall is in between.',
			cause: error,
		});
	}
}
