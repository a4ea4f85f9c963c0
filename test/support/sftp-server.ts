/** An SFTP server in this process, with files in memory: for what OpenSSH does not do and other servers do. */
import type { AddressInfo } from 'node:net';
import path from 'node:path/posix';
import ssh2, { type Attributes, type Client, type Connection, type SFTPWrapper } from 'ssh2';
import { fingerprintOf } from '../../core/storage/sftp/session';
import type { SftpOptions } from '../../core/storage/sftp/sftp';

const { Server, utils } = ssh2;
const { STATUS_CODE, OPEN_MODE } = utils.sftp;
const BASE = '/base';
const OWNER = { uid: 0, gid: 0, atime: 0, mtime: 1_800_000_000 };
const FOLDER: Attributes = { ...OWNER, mode: 0o040755, size: 0 };

/** In what the server is unlike OpenSSH. */
export interface Ways {
	/** Its rename writes over what is there, as that of Go's pkg/sftp does. */
	renameReplaces?: boolean;
	/** Its listings have names only. */
	namesOnly?: boolean;
	/** Each of its folders has a folder in it. */
	isBottomless?: boolean;
	/** Awaited before a file is opened for reading. */
	onOpen?: (file: string) => Promise<void>;
}

export interface SftpServer {
	readonly options: SftpOptions;
	/** By path; those of the storage begin with `/base/`. */
	readonly files: Map<string, Buffer>;
	/** Handles that nobody has closed. */
	readonly open: Set<string>;
	/** How many handles it has given. */
	readonly given: number;
	/** Connections of this moment. */
	readonly connections: Set<Connection>;
	stop(): Promise<void>;
}

export async function startSftp(ways: Ways = {}): Promise<SftpServer> {
	const keys = utils.generateKeyPairSync('ed25519');
	const key = utils.parseKey(keys.public);
	if (key instanceof Error || Array.isArray(key)) throw new TypeError('no key');
	const connections = new Set<Connection>();
	const files = new Map<string, Buffer>();
	const folders = new Set([BASE]);
	const open = new Handles();
	const server = new Server({ hostKeys: [keys.private] }, (client) => {
		connections.add(client);
		// Else each answer waits 40 ms for the next one.
		(client as Connection & Pick<Client, 'setNoDelay'>).setNoDelay();
		client.on('error', () => undefined).on('close', () => connections.delete(client));
		client.on('authentication', (context) => context.accept());
		client.on('session', (accept) => {
			accept().on('sftp', (begin) => answer(begin(), { files, folders, open }, ways));
		});
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	const options = { host: '127.0.0.1', port, user: 'user', password: 'password', path: BASE };
	return {
		...{ files, open, connections },
		options: { ...options, hostKey: fingerprintOf(key.getPublicSSH()) },
		get given() {
			return open.given;
		},
		async stop() {
			for (const client of connections) client.end();
			await new Promise<void>((resolve) => server.close(() => resolve()));
		},
	};
}

class Handles extends Set<string> {
	given = 0;

	override add(handle: string): this {
		this.given++;
		return super.add(handle);
	}
}

interface Disk {
	files: Map<string, Buffer>;
	folders: Set<string>;
	open: Handles;
}

function answer(sftp: SFTPWrapper, { files, folders, open }: Disk, ways: Ways): void {
	const paths = new Map<string, string>();
	const listed = new Set<string>();
	const done = (id: number) => sftp.status(id, STATUS_CODE.OK);
	const fail = (id: number) => sftp.status(id, STATUS_CODE.FAILURE);
	const missing = (id: number) => sftp.status(id, STATUS_CODE.NO_SUCH_FILE);
	const attributes = (file: string): Attributes | null => {
		const bytes = files.get(file);
		if (bytes) return { ...OWNER, mode: 0o100644, size: bytes.length };
		return folders.has(file) || ways.isBottomless ? FOLDER : null;
	};
	const look = (id: number, file: string) => {
		const found = attributes(file);
		if (found) sftp.attrs(id, found);
		else missing(id);
	};
	const give = (id: number, file: string) => {
		const handle = `handle ${open.given}`;
		paths.set(handle, file);
		open.add(handle);
		sftp.handle(id, Buffer.from(handle));
	};
	const namesIn = (folder: string) => {
		if (ways.isBottomless) return ['deeper'];
		return [...files.keys(), ...folders]
			.filter((file) => path.dirname(file) === folder)
			.map((file) => path.basename(file));
	};
	sftp.on('REALPATH', (id, file) => sftp.name(id, [{ filename: file, longname: file, attrs: FOLDER }]));
	sftp.on('LSTAT', look);
	sftp.on('STAT', look);
	sftp.on('FSTAT', (id, handle) => look(id, paths.get(String(handle))!));
	sftp.on('MKDIR', (id, file) => void (folders.add(file), done(id)));
	sftp.on('RMDIR', (id, file) => {
		if (namesIn(file).length > 0) return fail(id);
		folders.delete(file);
		done(id);
	});
	sftp.on('REMOVE', (id, file) => (files.delete(file) ? done(id) : missing(id)));
	sftp.on('RENAME', (id, from, to) => {
		if (files.has(to) && !ways.renameReplaces) return fail(id);
		files.set(to, files.get(from)!);
		files.delete(from);
		done(id);
	});
	sftp.on('OPEN', (id, file, flags) => {
		if (flags & OPEN_MODE.WRITE) {
			files.set(file, Buffer.alloc(0));
			return give(id, file);
		}
		void (ways.onOpen?.(file) ?? Promise.resolve()).then(() => give(id, file));
	});
	sftp.on('WRITE', (id, handle, at, bytes) => {
		const file = paths.get(String(handle))!;
		const before = files.get(file)!;
		const after = Buffer.alloc(Math.max(before.length, at + bytes.length));
		before.copy(after);
		bytes.copy(after, at);
		files.set(file, after);
		done(id);
	});
	sftp.on('READ', (id, handle, at, length) => {
		const bytes = files.get(paths.get(String(handle))!)!.subarray(at, at + length);
		if (bytes.length === 0) sftp.status(id, STATUS_CODE.EOF);
		else sftp.data(id, bytes);
	});
	sftp.on('CLOSE', (id, handle) => void (open.delete(String(handle)), done(id)));
	sftp.on('OPENDIR', (id, file) => (attributes(file) ? give(id, file) : missing(id)));
	sftp.on('READDIR', (id, handle) => {
		const folder = paths.get(String(handle))!;
		const names = namesIn(folder);
		if (names.length === 0 || listed.has(String(handle))) return void sftp.status(id, STATUS_CODE.EOF);
		listed.add(String(handle));
		const none = {} as Attributes;
		sftp.name(
			id,
			names.map((filename) => ({
				...{ filename, longname: filename },
				attrs: ways.namesOnly ? none : attributes(path.join(folder, filename))!,
			})),
		);
	});
}
