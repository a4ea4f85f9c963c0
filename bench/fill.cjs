/** Writes very many small objects into a storage, at once and past all that a backup does for safety: what lies there then is what counts. */
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { fileURLToPath } = require('node:url');
const { parseStorageUrl } = require('../dist/core/storage/url.js');
const { Client } = require('minio');

const WRITES_AT_ONCE = 64;

/**
 * @param {string} url of the storage, a folder or a bucket
 * @param {Iterable<[key: string, content: Buffer]>} objects
 * @returns {Promise<number>} how many were written
 */
async function fill(url, objects) {
	const write = url.startsWith('file:') ? intoFolder(url) : intoBucket(url);
	const running = new Set();
	let done = 0;
	for (const [key, content] of objects) {
		const writing = write(key, content).finally(() => running.delete(writing));
		running.add(writing);
		done++;
		if (running.size >= WRITES_AT_ONCE) await Promise.race(running);
	}
	await Promise.all(running);
	return done;
}

/** Not through the storage, which waits for the disk after each file. */
function intoFolder(url) {
	const folder = fileURLToPath(url);
	return async (key, content) => {
		const file = path.join(folder, key);
		fs.mkdirSync(path.dirname(file), { recursive: true });
		fs.writeFileSync(file, content);
	};
}

/** Not through the storage either, which looks before and after each write. */
function intoBucket(url) {
	const { bucket, endpoint, region, accessKey, secretKey } = parseStorageUrl(url, process.env);
	const client = new Client({
		endPoint: new URL(endpoint).hostname,
		port: Number(new URL(endpoint).port),
		useSSL: false,
		transportAgent: new http.Agent({ keepAlive: true, maxSockets: WRITES_AT_ONCE }),
		...{ region, accessKey, secretKey },
	});
	return async (key, content) => void (await client.putObject(bucket, key, content, content.length));
}

/** Every object, and nothing done with it: what any look at a storage costs at least. */
async function bareListing(storage) {
	const start = performance.now();
	let objects = 0;
	for await (const object of storage.list('')) objects += object.size >= 0 ? 1 : 0;
	return { objects, seconds: secondsSince(start) };
}

function secondsSince(start) {
	return (performance.now() - start) / 1000;
}

module.exports = { bareListing, fill, secondsSince };
