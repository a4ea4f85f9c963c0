/**
 * A process of its own whose clock can be set: it makes backups of some weeks with the package's own engine, so that the page of the
 * demo has something to show. Everything in them is real but the time. Told what to do on stdin, for it holds a password.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';

/** @typedef {import('./database.mjs').Database} Database */

const DAY_MS = 24 * 3_600_000;
const NIGHTS = 16;
/** Orders that came in before each of them. */
const ORDERS = 60;
/** The newsletter's password was changed so many nights ago, and nobody told its backup. */
const FAILED_NIGHTS = 3;
/** When the schedule of the workflow starts, after midnight UTC. */
const NIGHT_MS = 2.5 * 3_600_000;

/** @type {{ installed: string, storage: string, invoices: string, key: { recipient: string, identity: string }, shop: Database }} installed: the package.json of the package */
const { installed, storage: folder, invoices, key, shop } = JSON.parse(await text(process.stdin));
const load = (/** @type {string} */ file) => createRequire(installed)(`./dist/core/${file}`);
const { FolderStorage } = load('storage/folder/folder.js');
const { Repository } = load('records/repository.js');
const { backUp } = load('verbs/backup/backup.js');
const { verifyBackup } = load('verbs/verify/verify.js');
const { DEFAULT_DUMP_OPTIONS, postgresSource } = load('sources/postgres/dump/dump.js');
const { postgresDrill } = load('sources/postgres/drill/drill.js');
const { filesSource } = load('sources/files/source.js');
const { isBackupError } = load('base/errors.js');

const RealDate = Date;
const { now: realNow } = Date;
let behindMs = 0;
Date.now = () => realNow() - behindMs;
globalThis.Date = new Proxy(RealDate, {
	construct: (target, args) => Reflect.construct(target, args.length === 0 ? [Date.now()] : args),
});

/** A folder whose clock is this process's own. */
class PastFolder extends FolderStorage {
	/** @param {string} key @param {import('node:stream').Readable} body @param {object} options */
	async write(key, body, options) {
		const object = await super.write(key, body, options);
		const modifiedAt = new Date();
		fs.utimesSync(path.join(folder, key), modifiedAt, modifiedAt);
		return { ...object, modifiedAt };
	}
}

const storage = new PastFolder({ path: folder });
const { signal } = new AbortController();
const keys = { identities: [key.identity] };
const actor = { via: 'script', requestedBy: 'npm run demo' };

const client = new pg.Client(shop);
await client.connect();
const days = await setOrdersAside();
await client.query('CREATE DATABASE newsletter');
fs.mkdirSync(invoices, { recursive: true });
const lastNight = Math.floor((realNow() - NIGHT_MS) / DAY_MS) * DAY_MS + NIGHT_MS;
for (const [index, orders] of days.entries()) {
	const nightsAgo = NIGHTS - 1 - index;
	await takeOrders(orders);
	for (const { id, placed_at: placed } of orders) {
		fs.writeFileSync(path.join(invoices, `invoice-${id}.txt`), `Invoice ${id}, ordered at ${placed}\n`.repeat(20));
	}
	behindMs = realNow() - (lastNight - nightsAgo * DAY_MS);
	const password = nightsAgo < FAILED_NIGHTS ? 'the old password' : shop.password;
	await Promise.all([
		night('postgres/shop', database(shop), nightsAgo % 7 === 0 ? 'restored' : 'stored'),
		night('files/invoices', filesSource({ paths: [invoices] }), 'stored'),
		night('postgres/newsletter', database({ ...shop, database: 'newsletter', password }), 'stored'),
	]);
}
await client.end();

/**
 * Takes the shop back to the time before its last orders.
 * @returns {Promise<{ id: number, placed_at: string }[][]>} the orders of each day, with their lines
 */
async function setOrdersAside() {
	const lines = 'SELECT json_agg(l) FROM shop.order_lines AS l WHERE l.order_id = o.id';
	const { rows } = await client.query(
		`SELECT to_json(o) AS order, (${lines}) AS lines FROM shop.orders AS o ORDER BY id DESC LIMIT ${NIGHTS * ORDERS}`,
	);
	const orders = rows.reverse().map(({ order, lines }) => ({ ...order, lines }));
	await client.query('DELETE FROM shop.orders WHERE id >= $1', [orders[0].id]);
	return Array.from({ length: NIGHTS }, (_, day) => orders.slice(day * ORDERS, (day + 1) * ORDERS));
}

/** @param {object[]} orders that come back as they were */
async function takeOrders(orders) {
	const given = [JSON.stringify(orders)];
	await client.query(
		'INSERT INTO shop.orders OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(null::shop.orders, $1)',
		given,
	);
	await client.query(
		`INSERT INTO shop.order_lines SELECT l.*
		FROM json_array_elements($1) AS o, json_populate_recordset(null::shop.order_lines, o -> 'lines') AS l`,
		given,
	);
}

/** @param {Database} target */
function database(target) {
	return postgresSource({ ...target, tls: 'off' }, DEFAULT_DUMP_OPTIONS);
}

/**
 * What a workflow does each night with one source: backs it up and verifies the backup. One that fails is in the journal, and the
 * others go on.
 * @param {string} group
 * @param {object} source
 * @param {'stored' | 'restored'} depth
 */
async function night(group, source, depth) {
	try {
		const encryption = { recipients: [key.recipient] };
		const { manifest } = await backUp({ storage, group, source, encryption, proveWith: keys, actor, signal });
		const repository = await Repository.open(storage, { signal });
		const drills = depth === 'restored' ? [postgresDrill({ scratch: { kind: 'embedded' } })] : [];
		const { outcome, message } = await verifyBackup({
			...{ repository, group, label: manifest.label, depth, keys, drills, actor, signal },
		});
		if (outcome !== 'ok') throw new Error(`${group}/${manifest.label}: ${message}`);
	} catch (error) {
		if (!isBackupError(error, 'wrong-credentials')) throw error;
	}
}
