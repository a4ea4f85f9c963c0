/** A database with its backup, and requests to restore it, for the tests of restores. */
import { Readable } from 'node:stream';
import { KEEP_ALL } from '../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import type { DatabaseRestoreRequest } from './database-verbs';
import { MemoryStorage } from '../../core/storage/memory';
import { type MadeBackup, makeBackup } from './backups';
import { type PostgresServer, quoteName, sharedPostgres, sql } from './postgres';

export interface Shop {
	/** Shared with other test files. */
	readonly server: PostgresServer;
	readonly source: DatabaseTarget;
	/** Of the source, with the contents of its tables hashed. */
	readonly backup: MadeBackup;
	/** A name that nobody has yet, with the given beginning. What has it in the end is dropped. */
	freeName(beginning?: string): string;
	/** For a restore of the backup into a new database of the server. */
	request(change?: Partial<DatabaseRestoreRequest> & Partial<MadeBackup>): DatabaseRestoreRequest;
	/** A database of a server, ours by default. */
	at(database: string, of?: PostgresServer): DatabaseTarget;
	databases(of?: PostgresServer): Promise<string[]>;
	/** What restores of this shop's requests leave besides the databases they should: nothing. */
	leftovers(of?: PostgresServer): Promise<string[]>;
	remove(): Promise<void>;
}

/** Call {@link Shop.remove} when the tests are done. */
export async function makeShop(): Promise<Shop> {
	const server = await sharedPostgres(15); // which Debian's own pg_dump can read
	const source = await server.createDatabase();
	await sql(
		source,
		`CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY, note text);
		INSERT INTO shop.orders SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 5000) i;
		CREATE TABLE public.names (name text); INSERT INTO names VALUES ('Zoë'), (NULL);
		CREATE VIEW shop.notes AS SELECT note FROM shop.orders; SELECT lo_from_bytea(0, 'large')`,
	);
	const backup = await makeBackup(source, { contentHash: true });
	const given: string[] = [];
	const asked = new Set<string>();
	const freeName = (beginning = 'restored') => {
		const name = `${beginning} ${source.database} ${given.length}`;
		given.push(name);
		return name;
	};
	const databases = async (of = server) => {
		const rows = await sql<{ datname: string }>(of.target(), 'SELECT datname FROM pg_database ORDER BY 1');
		return rows.map(({ datname }) => datname);
	};
	const leftovers = async (of = server) => {
		const isOurs = (name: string) => asked.has(name.replace(/_(restoring|replaced)_\w{6}$/, '')) && !asked.has(name);
		return (await databases(of)).filter(isOurs);
	};
	return {
		server,
		source,
		backup,
		freeName,
		request(change = {}) {
			const { repository, group, label } = backup;
			const { into = { mode: 'new', database: freeName() } } = change;
			asked.add(into.database);
			const signal = new AbortController().signal;
			return {
				repository,
				group,
				label,
				keys: null,
				server: server.target(),
				rules: KEEP_ALL,
				signal,
				...change,
				into,
			};
		},
		at: (database, of = server) => of.target(database),
		databases,
		leftovers,
		async remove() {
			for (const name of [...given, ...(await leftovers())]) {
				await sql(server.target(), `DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
			}
		},
	};
}

/** The same backup with one byte in the second half of its dump changed. */
export async function damaged({ storage, group, label }: MadeBackup): Promise<Partial<MadeBackup>> {
	const copy = new MemoryStorage();
	for await (const { key } of storage.list('')) {
		const chunks: Buffer[] = [];
		for await (const chunk of await storage.read(key)) chunks.push(Buffer.from(chunk as Buffer));
		const bytes = Buffer.concat(chunks);
		if (key === objectKey(group, label, 'dump.sql.zst')) bytes[Math.floor(bytes.length * 0.8)]! ^= 1;
		await copy.write(key, Readable.from([bytes]));
	}
	return { storage: copy, repository: await Repository.open(copy) };
}
