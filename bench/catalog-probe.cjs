/**
 * One measurement of bench/catalog.ts in a process of its own, on the built program: `node catalog-probe.cjs TASK URL [COUNT]`.
 * Prints one JSON object; `seconds` are those of the task itself.
 */
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { fileURLToPath } = require('node:url');
const { openStorage } = require('../dist/core/storage/create.js');
const { Repository } = require('../dist/core/records/repository.js');
const { planRetention } = require('../dist/core/retention/plan.js');
const { PRESETS } = require('../dist/core/retention/policy.js');
const { parseStorageUrl } = require('../dist/core/storage/url.js');
const { Client } = require('minio');

const GROUPS = 50;
const HOUR_MS = 3_600_000;
const WRITES_AT_ONCE = 64;
/** Of no meaning: only names, sizes and times are looked at. */
const CONTENT = Buffer.alloc(100, 'x');

const [task, url, count = '0'] = process.argv.slice(2);
const storage = openStorage(url, process.env);
/** For filling a bucket: made when it is needed. */
let client = null;

void main().finally(() => storage.close());

async function main() {
	const answer = await { fill, bare, plan }[task]();
	process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Hourly backups in fifty groups up to now, each of four objects: data, contents, manifest, and what a verification found. */
async function fill() {
	await Repository.open(storage, { create: true });
	const write = url.startsWith('file:') ? writeFile : writeObject;
	const running = new Set();
	let done = 0;
	for (const key of keys(Number(count))) {
		const writing = write(key).finally(() => running.delete(writing));
		running.add(writing);
		done++;
		if (running.size >= WRITES_AT_ONCE) await Promise.race(running);
	}
	await Promise.all(running);
	return { objects: done };
}

function* keys(backups) {
	const perGroup = Math.ceil(backups / GROUPS);
	for (let group = 0; group < GROUPS; group++) {
		for (let age = perGroup - 1; age >= 0; age--) {
			const stamp = new Date(Date.now() - age * HOUR_MS).toISOString().replace(/[-:]|\.\d+/g, '');
			const backup = `postgres/database-${group}/${stamp}-full-${String(age % 10_000).padStart(4, '0')}`;
			yield `${backup}/dump.sql.zst.age`;
			yield `${backup}/contents.json.zst.age`;
			yield `${backup}/manifest.json`;
			yield `${backup}/verified-${stamp}-restored-ok.json`;
		}
	}
}

/** Not through the storage, which waits for the disk after each file. */
async function writeFile(key) {
	const file = path.join(fileURLToPath(url), key);
	fs.mkdirSync(path.dirname(file), { recursive: true });
	fs.writeFileSync(file, CONTENT);
}

/** Not through the storage either, which looks before and after each write. */
async function writeObject(key) {
	const { bucket, endpoint, region, accessKey, secretKey } = parseStorageUrl(url, process.env);
	client ??= new Client({
		endPoint: new URL(endpoint).hostname,
		port: Number(new URL(endpoint).port),
		useSSL: false,
		transportAgent: new http.Agent({ keepAlive: true, maxSockets: WRITES_AT_ONCE }),
		...{ region, accessKey, secretKey },
	});
	await client.putObject(bucket, key, CONTENT, CONTENT.length);
}

/** Every object, and nothing done with it. */
async function bare() {
	const start = performance.now();
	let objects = 0;
	for await (const object of storage.list('')) objects += object.size >= 0 ? 1 : 0;
	return { objects, seconds: since(start) };
}

/** What a run of retention does before it removes anything. */
async function plan() {
	const start = performance.now();
	const { backups } = await (await Repository.open(storage)).survey();
	const seconds = since(start);
	const middle = performance.now();
	const { groups } = planRetention(backups, PRESETS.critical.policy, new Date());
	const kept = groups.flatMap((group) => group.backups).filter(({ action }) => action === 'keep').length;
	return { seconds, planSeconds: since(middle), backups: backups.length, kept };
}

function since(start) {
	return (performance.now() - start) / 1000;
}
