/** Whether a dump of a database would succeed. */
import { counted } from '../../base/counted';
import { ask, type Finding, type Question } from '../../base/finding';
import { sizeInMegabytes } from '../../base/size-text';
import { connect, disconnect } from './connection/connection';
import { toBackupError } from './connection/errors';
import { passwordWarning } from './connection/password-exposure';
import { queryOf } from './connection/query';
import type { DatabaseTarget } from './connection/target';
import { isFiltered, type PostgresDumpOptions } from './dump/dump';
import { emptyWarning } from './dump/empty-database';
import { chooseEngine } from './dump/engines/choose';
import { listTables } from './dump/facts';
import { describeLeftovers } from './restore/leftovers';
import { assertConnections, assertReadable, hiddenMappings } from './dump/rights';

export interface DatabaseCheck {
	database: string;
	/** On the server's disk, bytes; null when it could not be asked. */
	databaseBytes: number | null;
	findings: Finding[];
}

/** Whether a dump of this database would succeed: reachable, an engine that fits, every table readable. */
export async function checkDatabase(
	target: DatabaseTarget,
	options: PostgresDumpOptions,
	signal: AbortSignal,
): Promise<DatabaseCheck> {
	const findings: Finding[] = [];
	let databaseBytes: number | null = null;
	let client: Awaited<ReturnType<typeof connect>> | undefined;
	findings.push(
		await ask('connection', async () => {
			const connected = await connect(target, { signal });
			client = connected;
			const { rows } = await ofServer(
				target,
				async () =>
					await connected.query<{ version: string; bytes: string }>(
						`SELECT pg_catalog.current_setting('server_version') AS version,
							pg_catalog.pg_database_size(pg_catalog.current_database())::text AS bytes`,
					),
			);
			databaseBytes = Number(rows[0]!.bytes);
			await ofServer(target, async () => await assertConnections(queryOf(connected)));
			const message = `${target.database} on PostgreSQL ${rows[0]!.version}, ${sizeInMegabytes(databaseBytes)}`;
			const exposed = passwordWarning(connected);
			return exposed === null ? message : { warning: `${message}; ${exposed}` };
		}),
	);
	if (!client) return { database: target.database, databaseBytes, findings };
	const open = client;
	const questions: Array<[string, Question]> = [
		['engine', async () => await fittingEngine(open, options)],
		['privileges', async () => await readableTables(open, target.database, options)],
	];
	// Of the whole server, so that the first of several databases is enough.
	if ((options.alongside?.[0] ?? target.database) === target.database) {
		questions.push(['leftovers', async () => await leftoversOf(open)]);
	}
	try {
		for (const [name, question] of questions) {
			const isLost = findings.some(({ code }) => code === 'stalled' || code === 'connection-lost');
			if (isLost) break;
			const found = await ask(name, async () => await ofServer(target, question));
			if (found.message !== '') findings.push(found);
		}
	} finally {
		await disconnect(open);
	}
	return { database: target.database, databaseBytes, findings };
}

async function ofServer<T>(target: DatabaseTarget, question: () => Promise<T>): Promise<T> {
	try {
		return await question();
	} catch (error) {
		throw toBackupError(error, target);
	}
}

async function fittingEngine(
	client: Awaited<ReturnType<typeof connect>>,
	{ engine: choice, nativePath }: PostgresDumpOptions,
): Promise<string> {
	const { rows } = await client.query<{ n: string }>("SELECT pg_catalog.current_setting('server_version_num') AS n");
	const engine = await chooseEngine(choice, Number(rows[0]!.n), { nativePath });
	return `${engine.name} pg_dump ${(await engine.version()).text}`;
}

/** Nothing where there are none: nobody has asked about restores. */
async function leftoversOf(client: Awaited<ReturnType<typeof connect>>): Promise<string | { warning: string }> {
	const left = await describeLeftovers(queryOf(client));
	return left.length === 0 ? '' : { warning: left.join('; ') };
}

async function readableTables(
	client: Awaited<ReturnType<typeof connect>>,
	database: string,
	options: PostgresDumpOptions,
): Promise<string | { warning: string }> {
	const tables = (await listTables(client, options.filter)).filter((table) => table.withRows);
	if (tables.length === 0 && !isFiltered(options.filter)) {
		const warning = await emptyWarning(queryOf(client), database, options.alongside);
		if (warning !== null) return { warning };
	}
	const query = queryOf(client);
	await assertReadable(query, tables, options.filter);
	const message = `${counted(tables.length, 'table')} can be read`;
	const hidden = await hiddenMappings(query, options.filter);
	return hidden.length === 0 ? message : { warning: [message, ...hidden].join('; ') };
}
