export interface N8nOptions {
	/** Of its own, for everything n8n keeps outside its database; created when missing. */
	folder: string;
	/** n8n's own; empty at the first start. With `sqlite` it is in the folder. */
	database: 'sqlite' | { host: string; port: number; database: string; user: string; password?: string };
	/** What installedPackage() returned, to have our nodes in it. */
	nodes?: string;
	/** Default: a free one. */
	port?: number;
	/** Folders that nodes may read and write, without symbolic links. Default: n8n's own choice. */
	files?: string[];
	/** Further settings of n8n. */
	env?: Record<string, string>;
}

export interface RunningN8n {
	/** "http://127.0.0.1:5678" */
	url: string;
	/** Of the process that holds it on a leash. */
	pid: number;
	/** What it wrote so far. */
	log(): string;
	/** Resolves when it has ended, by itself or not. */
	ended: Promise<void>;
	/** Runs one of n8n's own commands on the same n8n, beside the running server. @returns what it wrote to stdout */
	command(...args: string[]): Promise<string>;
	/** With everything it started; does nothing when it has ended already. */
	stop(): Promise<void>;
	/** SIGKILL to all its processes. */
	kill(): Promise<void>;
}

/** Where n8n is, or will be, installed. */
export function n8nFolder(): string;
/** Installs n8n unless it is there. @returns the program to run with Node */
export function installN8n(): Promise<string>;

/**
 * Starts n8n on 127.0.0.1. It answers requests when the promise resolves. It ends with this process at the latest.
 * @throws Error with the end of its log when it does not start
 */
export function startN8n(options: N8nOptions): Promise<RunningN8n>;
