/** Makes what bench/copy.ts copies, on the built program: `node copy-make.cjs URL GROUP BYTES` stores random bytes as a backup. */
const { randomFillSync } = require('node:crypto');
const { Readable } = require('node:stream');
const { backUp } = require('../dist/core/verbs/backup/backup.js');
const { openStorage } = require('../dist/core/storage/create.js');

const [url, group, bytes] = process.argv.slice(2);
const CHUNK = 1e6;

function* chunks() {
	for (let left = Number(bytes); left > 0; left -= CHUNK) yield randomFillSync(Buffer.alloc(Math.min(left, CHUNK)));
}

const storage = openStorage(url, process.env);
const open = async () => ({
	async *parts() {
		yield { role: 'data', name: 'dump.sql', body: Readable.from(chunks(), { objectMode: false }) };
		yield { role: 'contents', name: 'contents.json', body: Readable.from([Buffer.from('{}')]) };
	},
	finish: async () => ({ details: {}, warnings: [] }),
	close: async () => undefined,
});
backUp({
	storage,
	group,
	source: { kind: 'postgres', open },
	encryption: null,
	zstdLevel: 1,
	signal: new AbortController().signal,
})
	.then(({ manifest }) => process.stdout.write(`${group}/${manifest.label}/${manifest.parts[0].name}`))
	.finally(() => storage.close());
