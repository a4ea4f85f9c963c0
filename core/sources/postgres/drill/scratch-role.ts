/**
 * The role that a drill works as: made for it, owner of nothing but its database, and dropped after it. Functions of a dump run
 * while it is restored, with the rights of who restores it; a session that logs in as this role has no way back to more.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { connect, disconnect } from '../connection/connection';
import type { DatabaseTarget } from '../connection/target';

/** Of PostgreSQL itself (SCRAM_SHA_256_DEFAULT_ITERATIONS). */
const ITERATIONS = 4096;

/** Who the scratch server's user is. */
export interface Administrator {
	superuser: boolean;
	createrole: boolean;
}

/** Whether this user can make a role, and has rights that a dump should not have. */
export function canMakeRole({ superuser, createrole }: Administrator): boolean {
	return superuser || createrole;
}

/**
 * Makes a role that may log in, and nothing else.
 * @returns how to log in as it
 * @throws what `pg` throws
 */
export async function makeRole(
	client: Client,
	server: DatabaseTarget,
	name: string,
	{ superuser }: Administrator,
): Promise<DatabaseTarget> {
	const password = randomBytes(24).toString('base64url');
	// Row level security of the dump must not look like missing rows; only a superuser may give this right.
	const rights = superuser ? 'LOGIN BYPASSRLS' : 'LOGIN';
	const role = escapeIdentifier(name);
	await client.query(`CREATE ROLE ${role} ${rights} PASSWORD ${escapeLiteral(scramSecret(password))}`);
	if (!superuser) await client.query(`GRANT ${role} TO CURRENT_USER`);
	return { ...server, user: name, password };
}

/** The password as the server keeps it (RFC 5803), so that the server's log never sees the password itself. */
function scramSecret(password: string): string {
	const salt = randomBytes(16);
	const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
	const key = (name: string) => createHmac('sha256', salted).update(name).digest();
	const stored = createHash('sha256').update(key('Client Key')).digest('base64');
	return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored}:${key('Server Key').toString('base64')}`;
}

/** What belongs to an extension and a dump fills or builds upon: its tables of configuration, wrappers, servers, schemas. */
const RIGHTS = `
	WITH members AS (SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
		WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' AND e.extname = $1)
	SELECT pg_catalog.format('GRANT ALL ON %s %s TO %I', kind, name, $2::text) AS statement FROM (
		SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::pg_catalog.regclass::text AS name
		FROM pg_catalog.pg_extension e, pg_catalog.unnest(e.extconfig) AS config
		JOIN pg_catalog.pg_class c ON c.oid = config WHERE e.extname = $1
		UNION ALL SELECT 'FOREIGN DATA WRAPPER', pg_catalog.quote_ident(fdwname) FROM pg_catalog.pg_foreign_data_wrapper w
		JOIN members m ON m.classid = 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass AND m.objid = w.oid
		UNION ALL SELECT 'FOREIGN SERVER', pg_catalog.quote_ident(srvname) FROM pg_catalog.pg_foreign_server s
		JOIN members m ON m.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass AND m.objid = s.oid
		UNION ALL SELECT 'SCHEMA', pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace n
		JOIN members m ON m.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND m.objid = n.oid
	) AS things`;

/** Makes an extension in a schema, or in one of its own choice. @throws what `pg` throws, those of the connection */
export type CreateExtension = (name: string, schema: string | null) => Promise<void>;

/**
 * Creates extensions as the server's superuser, in a database where nothing of the dump can run yet, and lets the drill's role
 * use them. Nothing of the dump but the two names is executed.
 * @param superuser of the scratch database
 */
export function extensionMaker(superuser: DatabaseTarget, role: string, signal: AbortSignal): CreateExtension {
	return async (name, schema) => {
		const client = await connect(superuser, { signal });
		try {
			const where = schema === null ? '' : ` SCHEMA ${escapeIdentifier(schema)}`;
			await client.query(`CREATE EXTENSION IF NOT EXISTS ${escapeIdentifier(name)}${where}`);
			const { rows } = await client.query<{ statement: string }>(RIGHTS, [name, role]);
			for (const { statement } of rows) await client.query(statement);
		} finally {
			await disconnect(client);
		}
	};
}
