/** PostgreSQL's own client programs as judges: what they make of a dump is what a user gets. Needs `postgresql-client`. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { MAJORS } from './postgres';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';

const run = promisify(execFile);

function environment(target: DatabaseTarget): NodeJS.ProcessEnv {
	return {
		PATH: process.env.PATH,
		LC_ALL: 'C.UTF-8',
		PGHOST: target.host,
		PGPORT: String(target.port),
		PGUSER: target.user,
		PGPASSWORD: target.password,
		PGDATABASE: target.database,
	};
}

async function client(
	program: string,
	args: string[],
	target: DatabaseTarget,
	input?: string | Buffer,
): Promise<string> {
	const running = run(program, args, { env: environment(target), maxBuffer: 1024 ** 3, encoding: 'utf8' });
	running.child.stdin!.end(input);
	return (await running).stdout;
}

/** Replays a plain dump, as far as psql is concerned without any error. @throws at the first error */
export async function restore(target: DatabaseTarget, dump: string | Buffer): Promise<void> {
	await client('psql', ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--output=/dev/null'], target, dump);
}

/** Servers older than 17 do not know a setting that pg_dump 17 and later begin with. */
export function forServer(major: (typeof MAJORS)[number], dump: string): string {
	return major >= 17 ? dump : dump.replace(/^SET transaction_timeout = 0;\n/m, '');
}

/** A dump by Debian's own pg_dump, as it stands. */
export async function pgDump(target: DatabaseTarget): Promise<string> {
	return await client('pg_dump', [], target);
}

/** The schema as Debian's own pg_dump sees it; it can read servers up to its own version. */
export async function nativeSchema(target: DatabaseTarget): Promise<string> {
	return comparable(await client('pg_dump', ['--schema-only'], target));
}

/** A dump's text without what differs from run to run: the key of \restrict. */
export function comparable(dump: string): string {
	return dump.replaceAll(/^\\(un)?restrict .*\n/gm, '');
}
