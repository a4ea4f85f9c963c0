/** What is made of a server's errors, in whatever language it speaks. */
import type { Client } from 'pg';
import { connectForReplication, disconnect } from '../../../../core/sources/postgres/connection/connection';
import { toBackupError } from '../../../../core/sources/postgres/connection/errors';
import { explain, explainLog } from '../../../../core/sources/postgres/physical/errors';
import { ReplicationCommand } from '../../../../core/sources/postgres/physical/replication';
import { type Major, MAJORS, sharedPostgres, sql } from '../../../support/postgres';
import { rounds } from '../../../support/soak';

const NEVER = new AbortController().signal;

/** What a real server says to a command, with words that nobody here knows. */
async function said(client: Client, command: string): Promise<Error> {
	const running = new ReplicationCommand(command, { onCopyStart: () => undefined });
	client.query(running);
	const error = await running.done.then(
		() => new Error('it did it'),
		(failure: unknown) => failure as Error,
	);
	return Object.assign(error, { message: 'das angeforderte Segment wurde schon entfernt' });
}

it.each(rounds<readonly Major[]>([13, 18], MAJORS))(
	'log that PostgreSQL %i does not have is broken-log, whatever its words; nothing else is',
	async (major) => {
		const server = await sharedPostgres(major);
		const target = server.target();
		const client = await connectForReplication(target, { signal: NEVER });
		try {
			const codeOf = async (command: string) =>
				(explainLog(toBackupError(await said(client, command), target), target) as { code?: string }).code;
			// Removed, ahead of the server, and no part of its history.
			expect(await codeOf('START_REPLICATION PHYSICAL 0/1000 TIMELINE 1')).toBe('broken-log');
			expect(await codeOf('START_REPLICATION PHYSICAL FFFF/0 TIMELINE 1')).toBe('broken-log');
			expect(await codeOf('START_REPLICATION PHYSICAL 0/1000000 TIMELINE 99')).toBe('broken-log');
			expect(await codeOf('START_REPLICATION SLOT "nope" PHYSICAL 0/1000 TIMELINE 1')).not.toBe('broken-log');
			expect(await codeOf('TIMELINE_HISTORY 99')).not.toBe('broken-log');
			const { rows } = await client.query<{ setting: string }>(
				'SELECT setting FROM pg_settings WHERE name ~ \'^(tcp_keepalives_|wal_sender_timeout)\' ORDER BY name COLLATE "C"',
			);
			// A host that dies without a word is found soon; one that only pauses is waited for.
			expect(rows.map(({ setting }) => Number(setting))).toEqual([4, 60, 15, 0]);
		} finally {
			await disconnect(client);
		}
		const role = `no_replication_${process.pid}`;
		await sql(target, `CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
		try {
			const other = { ...target, user: role, password: 'x' };
			const refused = await connectForReplication(other, { signal: NEVER }).catch((error: Error) => error);
			const { cause } = refused as Error;
			Object.assign(cause as Error, { message: 'keine Berechtigung' });
			expect(explain(toBackupError(cause, other), other)).toMatchObject({
				hint: `As a superuser, run: ALTER ROLE "${role}" REPLICATION;`,
			});
		} finally {
			await sql(target, `DROP ROLE ${role}`);
		}
	},
);
