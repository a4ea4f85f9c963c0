/**
 * Databases to dump. The shop has customers, orders and events, with the mixture that real tables have (numbers, times, words,
 * JSON, random identifiers); zstd -3 makes a quarter of its dump. The other one has rows of short text, which the server sends
 * several times as fast. The same size gives the same rows.
 */
import { Client } from 'pg';
import { type RunningServer, startServer } from '../scripts/lib/postgres.mjs';

/** Debian 12 has pg_dump 15, which refuses newer servers; ours would not. All contenders get the same server. */
export const SERVER_MAJOR = 15;
const SUPERUSER = 'postgres';
export const DATABASE = 'shop';
/** Rows of short text. */
export const TEXT_DATABASE = 'text';

/** Bytes of pg_dump's text per order with its events, and how many customers there are; found by measuring. */
const BYTES_PER_ORDER = 600;
const ORDERS_PER_CUSTOMER = 8;
/** Of a dump of short text, per row. */
const BYTES_PER_TEXT_ROW = 134.4;
const BATCH = 50_000;
const PHRASES = 20_000;

/** Nothing has to survive a power cut, and nothing but the dump shall run while it is measured. */
const SETTINGS = {
	fsync: 'off',
	synchronous_commit: 'off',
	full_page_writes: 'off',
	autovacuum: 'off',
	shared_buffers: '512MB',
	max_wal_size: '4GB',
	checkpoint_timeout: '1h',
};

const SCHEMA = `
CREATE TABLE phrases (number int PRIMARY KEY, words text NOT NULL);
CREATE TABLE customers (
	id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, joined date NOT NULL, settings jsonb NOT NULL
);
CREATE TABLE orders (
	id bigint PRIMARY KEY, customer_id int NOT NULL, reference uuid NOT NULL, placed_at timestamptz NOT NULL,
	status text NOT NULL, total numeric(10, 2) NOT NULL, note text, lines jsonb NOT NULL
);
CREATE TABLE events (
	id bigint PRIMARY KEY, order_id bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL, detail jsonb NOT NULL
);
-- A number from 0 to n - 1 that looks random and is not.
CREATE FUNCTION pick(row_id bigint, salt int, n int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE sql
AS $$ SELECT ((hashint8extended(row_id, salt) & 9223372036854775807) % n)::int $$;
`;

const CUSTOMERS = `
INSERT INTO customers
SELECT id, initcap(split_part(p.words, ' ', 1) || ' ' || split_part(p.words, ' ', 2)),
	split_part(p.words, ' ', 1) || id || '@' || split_part(p.words, ' ', 3) || '.example',
	date '2015-01-01' + pick(id, 2, 4000),
	jsonb_build_object('language', (array['de','en','fr','pl'])[1 + pick(id, 3, 4)], 'newsletter', pick(id, 4, 2) = 0,
		'points', pick(id, 5, 100000))
FROM generate_series($1::bigint, $2::bigint) id JOIN phrases p ON p.number = pick(id, 1, ${PHRASES})`;

const ORDERS = `
INSERT INTO orders
SELECT id, 1 + pick(id, 1, $3::int), md5(id::text)::uuid,
	timestamptz '2020-01-01' + id * interval '41 seconds' + pick(id, 2, 40000) * interval '1 millisecond',
	(array['open','paid','shipped','shipped','shipped','returned'])[1 + pick(id, 3, 6)],
	pick(id, 4, 50000) / 100.0,
	CASE WHEN pick(id, 5, 10) < 6 THEN a.words || ', ' || b.words END,
	jsonb_build_array(
		jsonb_build_object('sku', 'A-' || pick(id, 6, 30000), 'price', round(pick(id, 7, 20000) / 100.0, 2), 'quantity', 1 + pick(id, 8, 5)),
		jsonb_build_object('sku', 'B-' || pick(id, 9, 30000), 'price', round(pick(id, 10, 20000) / 100.0, 2), 'quantity', 1 + pick(id, 11, 3)))
FROM generate_series($1::bigint, $2::bigint) id
JOIN phrases a ON a.number = pick(id, 12, ${PHRASES}) JOIN phrases b ON b.number = pick(id, 13, ${PHRASES})`;

const EVENTS = `
INSERT INTO events
SELECT id * 2 + n, id, timestamptz '2020-01-01' + id * interval '41 seconds' + pick(id, 20 + n, 90000) * interval '1 second',
	(array['viewed','paid','packed','sent','mail'])[1 + pick(id, 22 + n, 5)],
	jsonb_build_object('agent', (array['Mozilla/5.0 (X11; Linux x86_64)','Mozilla/5.0 (iPhone; CPU iPhone OS 18_1)','curl/8.10'])[1 + pick(id, 24 + n, 3)],
		'address', '10.' || pick(id, 26, 256) || '.' || pick(id, 27, 256) || '.' || pick(id, 28, 256), 'ms', pick(id, 30 + n, 3000), 'session', md5((id / 3)::text))
FROM generate_series($1::bigint, $2::bigint) id, generate_series(0, 1) n`;

const TEXT = `
CREATE TABLE lines (id int, a text, b text, c text, at timestamptz);
INSERT INTO lines SELECT i, md5(i::text), md5((i + 1)::text), repeat('x', i % 60), timestamptz '2026-01-01 12:34:56.789012'
FROM generate_series(1, $rows) i`;

export interface SampleDatabase {
	host: string;
	port: number;
	user: string;
	password: string;
	/** The server's files. */
	dataDir: string;
	stop(): Promise<void>;
}

/**
 * Starts a server with a database whose plain dump has about `bytes` bytes.
 * @param root the checkout
 * @param onProgress told the share that is done, 0 to 1
 */
export async function startSampleDatabase(
	root: string,
	bytes: number,
	signal: AbortSignal,
	onProgress: (share: number) => void,
): Promise<SampleDatabase> {
	const server = await startServer({
		packageDir: `${root}/node_modules/pg${SERVER_MAJOR}`,
		superuser: SUPERUSER,
		settings: SETTINGS,
		replication: true,
	});
	try {
		await fill(server, bytes, signal, onProgress);
	} catch (error) {
		await server.stop();
		throw error;
	}
	const { host, port, password, dataDir } = server;
	return { host, port, user: SUPERUSER, password, dataDir, stop: () => server.stop() };
}

/** Makes {@link TEXT_DATABASE} on the same server, with a plain dump of about `bytes` bytes. */
export async function addTextDatabase({ host, port, user, password }: SampleDatabase, bytes: number): Promise<void> {
	const common = { host, port, user, password };
	const postgres = await connect({ ...common, database: 'postgres' });
	await postgres.query(`CREATE DATABASE ${TEXT_DATABASE}`);
	await postgres.end();
	const text = await connect({ ...common, database: TEXT_DATABASE });
	try {
		await text.query(TEXT.replace('$rows', String(Math.ceil(bytes / BYTES_PER_TEXT_ROW))));
		await text.query('VACUUM ANALYZE');
		await text.query('CHECKPOINT');
	} finally {
		await text.end();
	}
}

async function fill(
	{ host, port, password }: RunningServer,
	bytes: number,
	signal: AbortSignal,
	onProgress: (share: number) => void,
): Promise<void> {
	const common = { host, port, user: SUPERUSER, password };
	const postgres = await connect({ ...common, database: 'postgres' });
	await postgres.query(`CREATE DATABASE ${DATABASE}`);
	await postgres.end();
	const shop = await connect({ ...common, database: DATABASE });
	const second = await connect({ ...common, database: DATABASE });
	try {
		await shop.query(SCHEMA);
		await shop.query('INSERT INTO phrases SELECT n - 1, words FROM unnest($1::text[]) WITH ORDINALITY _(words, n)', [
			phrases(PHRASES),
		]);
		await shop.query('ANALYZE phrases');
		const orders = Math.ceil(bytes / BYTES_PER_ORDER);
		const customers = Math.ceil(orders / ORDERS_PER_CUSTOMER);
		await shop.query(CUSTOMERS, [1, customers]);
		for (let first = 1; first <= orders; first += BATCH) {
			signal.throwIfAborted();
			const last = Math.min(orders, first + BATCH - 1);
			await Promise.all([shop.query(ORDERS, [first, last, customers]), second.query(EVENTS, [first, last])]);
			onProgress(last / orders);
		}
		// Sets the hint bits, so that the first dump does not write what the later ones only read.
		await shop.query('VACUUM ANALYZE');
		await shop.query('CHECKPOINT');
	} finally {
		await Promise.all([shop.end(), second.end()]);
	}
}

async function connect(options: ConstructorParameters<typeof Client>[0]): Promise<Client> {
	const client = new Client(options);
	await client.connect();
	return client;
}

/** Four to nine invented words each; some words are frequent and most are rare, as in a language. */
function phrases(count: number): string[] {
	const random = numbers();
	const pick = <T>(list: readonly T[], skew = 1) => list[Math.floor(random() ** skew * list.length)] as T;
	const repeat = <T>(times: number, make: () => T) => Array.from({ length: times }, make);
	const consonants = [...'bcdfghklmnprstvwz'];
	const vowels = [...'aeiou'];
	const syllable = () => pick(consonants) + pick(vowels) + (random() < 0.3 ? pick(consonants) : '');
	const words = repeat(4000, () => repeat(1 + Math.floor(random() * 3), syllable).join(''));
	return repeat(count, () => repeat(4 + Math.floor(random() * 6), () => pick(words, 3)).join(' '));
}

/** The same numbers from 0 to 1 each time (mulberry32). */
function numbers(): () => number {
	let state = 20261120;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}
