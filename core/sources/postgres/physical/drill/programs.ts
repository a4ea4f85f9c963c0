/** The programs of a PostgreSQL server on this machine: with them, a restored cluster can be started as a test. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { BackupError, isBackupError } from '../../../../base/errors';

const run = promisify(execFile);
/** A program that does not say its version within this time is none, milliseconds. */
const PATIENCE_MS = 10_000;

/** Who runs a server: PostgreSQL refuses to run as root. Empty for whoever runs this program. */
export interface Account {
	uid?: number;
	gid?: number;
}

/**
 * Finds the server program of a major version: in the folders of `N8N_BACKUP_PG_BIN`, in `PATH`, and where Debian puts it. Only who
 * runs this program can choose it.
 * @returns its absolute path
 * @throws BackupError 'engine-not-found'
 */
export async function findServerProgram(major: number, account: Account, env = process.env): Promise<string> {
	const folders = [
		...(env.N8N_BACKUP_PG_BIN ?? '').split(path.delimiter),
		...(env.PATH ?? '').split(path.delimiter),
		`/usr/lib/postgresql/${major}/bin`,
	];
	for (const folder of folders.filter((each) => path.isAbsolute(each))) {
		const program = path.join(folder, 'postgres');
		if ((await majorOfProgram(program, account)) === major) return program;
	}
	throw new BackupError(
		'engine-not-found',
		`no server program of PostgreSQL ${major} is here to start what is restored`,
		{
			hint: `Install it (Debian: postgresql-${major}), or name the folder of its programs in N8N_BACKUP_PG_BIN. Without it, verify to depth "readable".`,
		},
	);
}

/** Whether {@link findServerProgram} would find one. */
export async function hasServerProgram(major: number): Promise<boolean> {
	try {
		await findServerProgram(major, await serverAccount());
		return true;
	} catch (error) {
		if (!isBackupError(error)) throw error;
		return false;
	}
}

/** @returns null where it is none, or the account cannot run it */
async function majorOfProgram(program: string, account: Account): Promise<number | null> {
	try {
		const { stdout } = await run(program, ['--version'], { ...account, cwd: '/', env: {}, timeout: PATIENCE_MS });
		return Number(/^postgres \(PostgreSQL\) (\d+)/.exec(stdout)?.[1] ?? NaN);
	} catch {
		return null;
	}
}

/**
 * Who a server is run as.
 * @throws BackupError 'unsupported' for root on a machine without a user `postgres` or `nobody`
 */
export async function serverAccount(): Promise<Account> {
	if (process.getuid?.() !== 0) return {};
	const users = (await fs.readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
	const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
	if (user) return { uid: Number(user[2]), gid: Number(user[3]) };
	throw new BackupError('unsupported', 'PostgreSQL does not run as root, and there is no user "postgres" or "nobody"', {
		hint: 'Make the user "postgres", or run this as another user.',
	});
}
