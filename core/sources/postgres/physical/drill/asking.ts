/** The user's own questions to a cluster that was restored as a test, asked by a role that may only read. */
import { randomBytes } from 'node:crypto';
import { BackupError } from '../../../../base/errors';
import type { AssertionResult } from '../../../source';
import { queryOf } from '../../connection/query';
import { type Assertion, runAssertions } from '../../drill/assertions';
import type { PrivateServer } from './server';

export interface ClusterQuestions {
	assertions: readonly Assertion[];
	/** Where they are asked; absent: in the only database that users have made. */
	database?: string;
}

/** No libraries that somebody has named are loaded: as in the superuser's own session. An empty text would be a library without a name. */
const SETTINGS = [
	'session_preload_libraries FROM CURRENT',
	'local_preload_libraries FROM CURRENT',
	'search_path = public',
];

/** @throws BackupError 'unsupported' for servers that have no such role, before PostgreSQL 14: to be called before anything is restored */
export function assertAskable(major: number, { assertions }: ClusterQuestions): void {
	if (assertions.length === 0 || major >= 14) return;
	throw new BackupError('unsupported', `assertions are asked of clusters of PostgreSQL 14 and later, not of ${major}`, {
		hint: 'Leave them out, or back up the database as well, and ask them of its dump.',
	});
}

/**
 * Asks them. What users have made runs, views and functions; so a role asks that may read everything, and change nothing.
 * @param names the databases of the cluster that take connections
 * @throws BackupError 'invalid-input' where the database is not there, or is not known; as {@link runAssertions}; what `pg` throws
 */
export async function askDrilledCluster(
	server: PrivateServer,
	names: readonly string[],
	{ assertions, database: wanted }: ClusterQuestions,
): Promise<AssertionResult[]> {
	if (assertions.length === 0) return [];
	const database = chooseDatabase(names, wanted);
	const role = `n8n_backup_asks_${randomBytes(8).toString('hex')}`;
	const superuser = await server.connect('template1');
	try {
		await superuser.query(`CREATE ROLE ${role} LOGIN BYPASSRLS IN ROLE pg_read_all_data`);
		// Its own settings come before those that the cluster has for a database or for all roles; a superuser alone may make them.
		for (const setting of SETTINGS) await superuser.query(`ALTER ROLE ${role} SET ${setting}`);
	} finally {
		await superuser.end();
	}
	const client = await server.connect(database, { role, patienceMs: 0 });
	try {
		return await runAssertions(queryOf(client), assertions);
	} finally {
		await client.end();
	}
}

function chooseDatabase(names: readonly string[], wanted: string | undefined): string {
	const made = names.filter((name) => name !== 'postgres' && name !== 'template1');
	if (wanted !== undefined && names.includes(wanted)) return wanted;
	if (wanted !== undefined) {
		throw new BackupError('invalid-input', `the restored cluster has no database "${wanted}"`, {
			hint: 'Name the database in which the assertions are to be asked as it is called on the server.',
		});
	}
	if (made.length <= 1) return made[0] ?? 'postgres';
	throw new BackupError('invalid-input', 'the restored cluster has several databases, and none is named', {
		hint: 'Name the one in which the assertions are to be asked.',
	});
}
