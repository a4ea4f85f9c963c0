/** A real OpenSSH server on this machine, and how programs get in. */
import fs from 'node:fs';
import path from 'node:path';
import { startSsh } from '../test/support/ssh.ts';
import { output } from './measure.ts';

export interface SftpPlace {
	/** What rclone needs to know. */
	readonly env: Record<string, string>;
	/** The folder of the server, which lies on this machine, with a slash at its end. */
	readonly folder: string;
	/** As our command line wants it. */
	readonly storage: string;
	/** As rclone wants it. */
	readonly remote: string;
	/** Shell: what `sftp` does, such as `put from to`. */
	readonly sftp: (what: string) => string;
	close(): Promise<void>;
}

/** @param parent where to make the folder, which `close` removes */
export async function sftpPlace(parent: string, signal: AbortSignal): Promise<SftpPlace> {
	const server = await startSsh();
	const dir = fs.mkdtempSync(path.join(parent, 'bench-sftp-'));
	const close = async () => {
		await server.stop();
		fs.rmSync(dir, { recursive: true, force: true });
	};
	try {
		const { host, port, user, privateKey, passphrase } = server.tunnel;
		const [key, folder] = [path.join(dir, 'key'), path.join(dir, 'storage')];
		fs.mkdirSync(folder);
		fs.writeFileSync(key, privateKey!, { mode: 0o600 });
		// `sftp` asks people for a passphrase.
		await output(`ssh-keygen -q -p -P '${passphrase}' -N '' -f ${key}`, { env: {}, signal });
		return {
			env: {
				RCLONE_CONFIG_SFTP_TYPE: 'sftp',
				RCLONE_CONFIG_SFTP_HOST: host,
				RCLONE_CONFIG_SFTP_PORT: String(port),
				RCLONE_CONFIG_SFTP_USER: user,
				RCLONE_CONFIG_SFTP_KEY_FILE: key,
			},
			folder: `${folder}/`,
			storage: `sftp://${user}@${host}:${port}${folder}?key=${key}&hostKey=${encodeURIComponent(server.hostKey)}`,
			remote: `sftp:${folder}/`,
			sftp: (what) =>
				`echo '${what}' | sftp -q -b - -i ${key} -P ${port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null ${user}@${host}`,
			close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}
