/** A server that is started in a restored cluster as a test: nobody can reach it but this program, and nothing of it is kept. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { abortError, BackupError } from '../../../../base/errors';
import type { ReplaySettings } from '../replay-settings';
import type { Account } from './programs';

/** Of its socket's name; it listens on no network. */
const PORT = 5432;
const POLL_MS = 100;
/** How long it may take to end before it is killed. */
const ENDING_MS = 10_000;
/** What a server says of its own files, and not of the machine. */
const OF_ITS_FILES =
	/PANIC|WAL ends before|could not locate (?:a valid checkpoint|required checkpoint)|invalid (?:page|checkpoint|record)|not consistent|before consistent recovery point|recovery ended before/;

export interface PrivateServerOptions {
	/** The server program. */
	program: string;
	/** The cluster; what it brings of its configuration is not used, since that may name programs and libraries. */
	data: string;
	/** A folder that only the account can enter, for its socket, configuration and log. */
	folder: string;
	account: Account;
	/** What it must have at least to replay the log. */
	settings: ReplaySettings;
	/** As whom it is looked at. */
	superuser: string;
	/** Of the program. */
	major: number;
	signal: AbortSignal;
}

/** What roles and databases of the cluster would have loaded, and whose functions and operators would come first. */
const SAFE_OPTIONS = '-c session_preload_libraries= -c local_preload_libraries= -c search_path=pg_catalog';

export class PrivateServer {
	readonly #child: ChildProcess;
	readonly #folder: string;
	readonly #gone: Promise<void>;

	private constructor(
		child: ChildProcess,
		folder: string,
		readonly superuser: string,
	) {
		this.#child = child;
		this.#folder = folder;
		this.#gone = new Promise((resolve) => {
			child.once('exit', () => resolve());
			child.once('error', () => resolve());
		});
	}

	/**
	 * Starts it, and waits until it has replayed its log and takes connections.
	 * @throws BackupError 'damaged' where it says that its files cannot be right, 'restore-failed' for any other reason, 'cancelled'; then
	 * it has ended
	 */
	static async start({
		program,
		data,
		folder,
		account,
		settings,
		superuser,
		major,
		signal,
	}: PrivateServerOptions): Promise<PrivateServer> {
		const config = path.join(folder, 'postgresql.conf');
		const hba = path.join(folder, 'pg_hba.conf');
		await fs.writeFile(hba, 'local all all trust\n', { mode: 0o644 });
		await fs.writeFile(config, configText({ folder, hba, settings, major }), { mode: 0o644 });
		const log = await fs.open(path.join(folder, 'server.log'), 'a', 0o644);
		const child = spawn(program, ['-D', data, '-c', `config_file=${config}`], {
			...account,
			cwd: data,
			env: { TZ: 'UTC' },
			stdio: ['ignore', log.fd, log.fd],
		});
		await log.close();
		const server = new PrivateServer(child, folder, superuser);
		try {
			while (!(await server.#isReady(data))) {
				if (signal.aborted) throw abortError(signal);
				if (server.#hasEnded) throw await server.#failure();
				await delay(POLL_MS);
			}
			return server;
		} catch (error) {
			await server.stop();
			throw error;
		}
	}

	/**
	 * A connection to a database.
	 * @param as.role by default the superuser
	 * @param as.patienceMs how long a statement may take; 0 is for ever
	 * @throws what `pg` throws
	 */
	async connect(
		database: string,
		{ role, patienceMs = 60_000 }: { role?: string; patienceMs?: number } = {},
	): Promise<Client> {
		const client = new Client({
			...{ host: this.#folder, port: PORT, user: role ?? this.superuser, database, query_timeout: patienceMs },
			options: role === undefined ? SAFE_OPTIONS : '',
		});
		// One that breaks fails the query that runs, or the next one.
		client.on('error', () => undefined);
		await client.connect();
		return client;
	}

	/** Ends it at once: nothing of it is kept. */
	async stop(): Promise<void> {
		if (this.#hasEnded) return;
		this.#child.kill('SIGQUIT');
		const late = setTimeout(() => this.#child.kill('SIGKILL'), ENDING_MS);
		await this.#gone;
		clearTimeout(late);
	}

	get #hasEnded(): boolean {
		return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
	}

	/** The last line of this file says so, since PostgreSQL 10. */
	async #isReady(data: string): Promise<boolean> {
		try {
			const lines = (await fs.readFile(path.join(data, 'postmaster.pid'), 'utf8')).split('\n');
			return Number(lines[0]) === this.#child.pid && lines[7]?.trim() === 'ready';
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
			throw error;
		}
	}

	async #failure(): Promise<BackupError> {
		const log = await fs.readFile(path.join(this.#folder, 'server.log'), 'utf8');
		const said = log.split('\n').findLast((line) => /FATAL|PANIC/.test(line)) ?? log.trim().split('\n').at(-1) ?? '';
		const why = said.replace(/^.*?(FATAL|PANIC):\s*/, '$1: ').slice(0, 500);
		const isOfFiles = OF_ITS_FILES.test(log);
		return new BackupError(
			isOfFiles ? 'damaged' : 'restore-failed',
			`a server does not start in what was restored: ${why}`,
			{
				hint: isOfFiles
					? 'Its files are as they were stored: make another base backup, and verify it.'
					: 'Look whether this machine has the same version, and memory and space for it.',
			},
		);
	}
}

function configText({
	folder,
	hba,
	settings,
	major,
}: Pick<PrivateServerOptions, 'folder' | 'settings' | 'major'> & { hba: string }): string {
	const all: Record<string, string | number> = {
		listen_addresses: '',
		port: PORT,
		unix_socket_directories: folder,
		unix_socket_permissions: '0700',
		hba_file: hba,
		shared_buffers: '32MB',
		huge_pages: 'off',
		fsync: 'off',
		full_page_writes: 'off',
		autovacuum: 'off',
		// It says that it is ready when all log is replayed, and not before: what is counted in the middle of it proves nothing.
		hot_standby: 'off',
		archive_mode: 'off',
		logging_collector: 'off',
		// Functions of users that would run when somebody logs in, since PostgreSQL 17.
		...(major >= 17 && { event_triggers: 'off' }),
		...settings,
	};
	return Object.entries(all)
		.map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`)
		.join('');
}
