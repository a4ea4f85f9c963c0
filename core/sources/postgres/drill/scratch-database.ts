/** Databases that exist for one drill: made under a name of their own, never the source, always dropped. */
import { type Client, escapeIdentifier } from 'pg';
import { abortError, BackupError, isBackupError, messageOf } from '../../../base/errors';
import { randomWord } from '../../../base/random-word';
import { queryOf } from '../connection/query';
import { connect, disconnect } from '../connection/connection';
import type { DatabaseFacts } from '../dump/contents';
import { giveSettings } from '../dump/database-properties';
import { systemIdentifier } from '../dump/facts';
import { preflight } from '../restore/preflight';
import { createDatabase, dropDatabase, withClient } from '../restore/target';
import type { RewriteRules } from '../replay/rewrite';
import { scratchError } from './scratch-errors';
import { DRILL_PREFIX, removeForgotten } from './scratch-leftovers';
import { type Administrator, canMakeRole, type CreateExtension, extensionMaker, makeRole } from './scratch-role';
import type { DatabaseTarget } from '../connection/target';

/**
 * Where a drill may make its database. `server`: any database of it, only to connect for CREATE DATABASE; the user needs
 * CREATEDB. `asSuperuser`: one who is a superuser restores the dump too, instead of a role that is made for the drill.
 * `embedded`: PostgreSQL in this process, for dumps of up to `maxBytes`.
 */
export type Scratch = ScratchServer | { kind: 'embedded'; maxBytes?: number };

export interface ScratchServer {
	kind: 'server';
	target: DatabaseTarget;
	asSuperuser?: boolean;
}

export interface ScratchDatabase {
	/** As the user who owns it, and has no other rights where that was possible. */
	readonly target: DatabaseTarget;
	/** For extensions, which that user may not create; absent where it may, or where nobody can. */
	readonly createExtension?: CreateExtension;
	/** Removes it, whoever is connected to it, and its role. Never fails: what could not be removed is a warning. */
	drop(): Promise<void>;
}

export interface ScratchOptions {
	/** By which the dump will be restored. */
	rules: RewriteRules;
	signal: AbortSignal;
	warn: (text: string) => void;
}

/** Copying the template, after whatever else the server has to do. */
const CREATE_TIMEOUT_MS = 5 * 60_000;

interface Server extends Administrator {
	systemIdentifier: string | null;
	database: string;
	/** yyyymmddhhmmss, UTC. */
	time: string;
}

/**
 * Makes an empty database with the encoding of the original, after proving that it is not the original, and removes what
 * earlier drills that were killed more than a day ago left behind. A user who is more than an ordinary one makes a role of the
 * same name as well, to whom the database belongs.
 * @throws BackupError 'invalid-input' where the scratch would be the source; 'missing-requirements' also where a superuser's
 * role cannot log in; 'access-denied', 'storage-full', those of {@link connect}. Then nothing is left, or a warning says what.
 */
export async function createScratchDatabase(
	{ target: server, asSuperuser }: ScratchServer,
	contents: DatabaseFacts,
	options: ScratchOptions,
): Promise<ScratchDatabase> {
	const facts = await prepare(server, contents, options);
	// Who keeps owners has to be allowed to give things away.
	if (asSuperuser || options.rules.owners === 'keep' || !canMakeRole(facts))
		return await make(server, facts, contents, false, options);
	try {
		return await make(server, facts, contents, true, options);
	} catch (error) {
		if (!isBackupError(error, 'wrong-credentials', 'access-denied', 'unsupported')) throw error;
		if (facts.superuser) throw roleRefused(server, error);
		options.warn(`the drill worked as "${server.user}", because a role of its own cannot log in: ${error.message}`);
		return await make(server, facts, contents, false, options);
	}
}

/** Looks at the server, and tidies up there. */
async function prepare(
	server: DatabaseTarget,
	contents: DatabaseFacts,
	{ rules, signal, warn }: ScratchOptions,
): Promise<Server> {
	const client = await connect(server, { signal });
	try {
		const facts = await lookAt(client);
		await removeForgotten(client, server, warn);
		for (const warning of await preflight(queryOf(client), server, contents, { rules, createsDatabase: true })) {
			warn(`of the scratch server: ${warning}`);
		}
		return facts;
	} catch (error) {
		throw signal.aborted ? abortError(signal) : scratchError(error, server);
	} finally {
		await disconnect(client);
	}
}

async function make(
	server: DatabaseTarget,
	facts: Server,
	contents: DatabaseFacts,
	withRole: boolean,
	{ signal, warn }: ScratchOptions,
): Promise<ScratchDatabase> {
	const name = `${DRILL_PREFIX}${facts.time}_${randomWord(8)}`;
	assertNotSource(name, facts, contents, warn);
	const remove = async () => await drop(server, name, withRole, warn);
	try {
		const user = await create(server, name, contents, withRole ? facts : null, warn);
		if (signal.aborted) throw abortError(signal);
		const target = { ...user, database: name };
		await assertIsNew(target, facts, signal);
		const createExtension =
			withRole && facts.superuser ? extensionMaker({ ...server, database: name }, name, signal) : undefined;
		return { target, createExtension, drop: remove };
	} catch (error) {
		await remove();
		throw error;
	}
}

function roleRefused({ user }: DatabaseTarget, cause: BackupError): BackupError {
	return new BackupError(
		'missing-requirements',
		`the scratch server’s user "${user}" is a superuser, and the role that was made for the drill cannot log in: ${cause.message}`,
		{
			hint: 'Give a user who may create databases and is not a superuser, or let new roles log in (pg_hba.conf, pooler). If you know who made the backups, allow "superuser": then what a dump says runs with all rights on that server.',
			cause,
		},
	);
}

/** @throws BackupError 'invalid-input' */
function assertNotSource(name: string, facts: Server, contents: DatabaseFacts, warn: (text: string) => void): void {
	const unknown = facts.systemIdentifier === null || contents.systemIdentifier === null;
	const sameServer = facts.systemIdentifier === contents.systemIdentifier;
	if (name === contents.database && (unknown || sameServer)) {
		throw new BackupError('invalid-input', `the scratch database would be the source ${name} itself`, {
			hint: 'Run the drill again: it makes another name.',
		});
	}
	if (unknown) {
		warn('whether the scratch server is the source’s own could not be found out; the drill used a new database');
	} else if (sameServer) {
		warn('the scratch server is the source’s own: the drill used its disk and its time, in a new database');
	}
}

async function lookAt(client: Client): Promise<Server> {
	const { rows } = await client.query<Administrator & { version: string; database: string; time: string }>(`
		SELECT pg_catalog.current_setting('server_version_num') AS version, pg_catalog.current_database() AS database,
			pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS') AS time,
			r.rolsuper AS superuser, r.rolcreaterole AS createrole
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`);
	const { version, ...facts } = rows[0]!;
	return { ...facts, systemIdentifier: await systemIdentifier(client, Number(version)) };
}

/**
 * Not broken off by the signal: nobody could say whether the server obeyed.
 * @param maker makes a role for it; null when the database belongs to who makes it
 * @returns who owns it
 */
async function create(
	server: DatabaseTarget,
	name: string,
	contents: DatabaseFacts,
	maker: Administrator | null,
	warn: (text: string) => void,
): Promise<DatabaseTarget> {
	const client = await connect(server, { signal: AbortSignal.timeout(CREATE_TIMEOUT_MS) });
	try {
		const owner = maker === null ? server : await makeRole(client, server, name, maker);
		const options = maker === null ? {} : { owner: owner.user };
		for (const warning of await createDatabase(client, name, contents, options)) {
			warn(`of the scratch database: ${warning}`);
		}
		// What does not matter for its rows may be missing.
		await giveSettings(client, name, contents.properties?.settings ?? [], {});
		return owner;
	} catch (error) {
		throw scratchError(error, server);
	} finally {
		await disconnect(client);
	}
}

/** Proves that connections with this target arrive in the new database of the same server: a pooler could lead elsewhere. */
async function assertIsNew(target: DatabaseTarget, server: Server, signal: AbortSignal): Promise<void> {
	const client = await connect(target, { signal });
	try {
		const here = await lookAt(client);
		const { rows } = await client.query<{ used: boolean }>(
			'SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= 16384) AS used',
		);
		if (here.database !== target.database || here.systemIdentifier !== server.systemIdentifier || rows[0]!.used) {
			throw new BackupError('invalid-input', `connections to ${target.database} arrive in another database`, {
				hint: 'Give the scratch server’s own address, not that of a connection pooler.',
			});
		}
	} catch (error) {
		throw signal.aborted ? abortError(signal) : scratchError(error, target);
	} finally {
		await disconnect(client);
	}
}

/** Never fails. */
async function drop(
	server: DatabaseTarget,
	name: string,
	withRole: boolean,
	warn: (text: string) => void,
): Promise<void> {
	try {
		await dropDatabase(server, name);
		if (withRole) {
			const { signal } = new AbortController();
			await withClient(server, signal, async (client) => {
				await client.query(`DROP ROLE IF EXISTS ${escapeIdentifier(name)}`);
			});
		}
	} catch (error) {
		warn(`the scratch database ${name} could not be dropped: ${messageOf(error)}; a drill after tomorrow drops it`);
	}
}
