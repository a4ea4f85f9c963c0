/**
 * One measurement of bench/status.ts in a process of its own, on the built program: `node status-probe.cjs TASK URL [COUNT]`.
 * Prints one JSON object; `seconds` are those of the task itself.
 */
const { createHash } = require('node:crypto');
const { PROGRAM } = require('../dist/core/base/program.js');
const { evidenceName, formatEvidence } = require('../dist/core/records/evidence.js');
const { formatJournalEntry, hashOf } = require('../dist/core/records/journal/entry.js');
const { createLabel } = require('../dist/core/records/label.js');
const { entryKey, objectKey } = require('../dist/core/records/layout.js');
const { formatManifest } = require('../dist/core/records/manifest.js');
const { Repository } = require('../dist/core/records/repository.js');
const { renderPage } = require('../dist/core/report/status/page/page.js');
const { readStorage } = require('../dist/core/report/status/read.js');
const { judge } = require('../dist/core/report/status/status.js');
const { POLICY_PRESETS } = require('../dist/core/retention/presets.js');
const { openStorage } = require('../dist/core/storage/create.js');
const { bareListing, fill, secondsSince } = require('./fill.cjs');

const GROUPS = 50;
const HOUR_MS = 3_600_000;
/** Of the journal: so many days are read first. */
const JOURNAL_HOURS = 3 * 24;
/** What the backups say they hold; what lies there is tiny, and nobody reads it. */
const BYTES = 100_000_000;
const CONTENT = Buffer.alloc(100, 'x');

const [task, url, count = '0'] = process.argv.slice(2);
const storage = openStorage(url, process.env);

void main().finally(() => storage.close());

async function main() {
	const answer = await { fill: make, bare: () => bareListing(storage), status }[task]();
	process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Hourly backups in fifty groups up to now, each verified by a restore, and the journal of the last three days: records as runs write them. */
async function make() {
	const { id } = await Repository.open(storage, { create: true });
	const now = Date.now();
	const perGroup = Math.ceil(Number(count) / GROUPS);
	return { objects: (await fill(url, backups(id, perGroup, now))) + (await fill(url, journal(perGroup, now))) };
}

function* backups(repository, perGroup, now) {
	for (let number = 0; number < GROUPS; number++) {
		const group = groupOf(number);
		let previous = null;
		for (let age = perGroup; age > 0; age--) {
			const { label, at } = labelOf(number, age, now);
			const manifest = manifestOf({ repository, group, label, at, age, previous });
			const sha256 = createHash('sha256').update(manifest).digest('hex');
			for (const name of ['dump.sql.zst', 'contents.json.zst']) yield [objectKey(group, label, name), CONTENT];
			yield [objectKey(group, label, 'manifest.json'), Buffer.from(manifest)];
			const evidence = evidenceOf({ group, label, at, sha256 });
			yield [objectKey(group, label, evidenceName(evidence)), Buffer.from(formatEvidence(evidence))];
			previous = { label, sha256 };
		}
	}
}

function groupOf(number) {
	return `postgres/database-${number}`;
}

const labels = new Map();
/** The same for the backup and for its run. Groups begin one after another. */
function labelOf(number, age, now) {
	const key = `${number} ${age}`;
	const at = new Date(now - age * HOUR_MS + number * 60_000);
	if (age > JOURNAL_HOURS) return { label: createLabel('full', at), at };
	if (!labels.has(key)) labels.set(key, { label: createLabel('full', at), at });
	return labels.get(key);
}

function later(at, seconds) {
	return new Date(at.getTime() + seconds * 1000).toISOString();
}

function manifestOf({ repository, group, label, at, age, previous }) {
	const bytes = BYTES - age * 1000;
	const part = (role, name) => ({
		...{ role, name, original: { bytes, blake2b512: '0'.repeat(128) } },
		stored: { bytes: CONTENT.length, sha256: '0'.repeat(64) },
	});
	return formatManifest({
		...{ format: 1, program: PROGRAM, repository, group, label, type: 'full', parents: [], status: 'whole' },
		...{
			startedAt: at.toISOString(),
			finishedAt: later(at, 20),
			codecs: ['zstd'],
			encryption: null,
			previous,
			warnings: [],
		},
		source: { kind: 'postgres', server: null, details: { tables: 40, rows: 1_000_000 - age, format: 'plain' } },
		parts: [part('data', 'dump.sql.zst'), part('contents', 'contents.json.zst')],
	});
}

function evidenceOf({ group, label, at, sha256 }) {
	return {
		...{ format: 1, program: PROGRAM, group, label, depth: 'restored', outcome: 'ok' },
		...{ startedAt: later(at, 20), finishedAt: later(at, 40), manifestSha256: sha256, failure: null },
		facts: { tables: 40, rows: 1_000_000, restoreSeconds: 15 },
	};
}

/** One chain over all days, in the order of time. */
function* journal(perGroup, now) {
	const hours = Math.min(perGroup, JOURNAL_HOURS);
	const entries = [];
	for (let age = hours; age > 0; age--) {
		for (let number = 0; number < GROUPS; number++) entries.push(...runsOf(number, age, now));
	}
	entries.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
	let [day, number, previous] = [entries[0].at.slice(0, 10), 0, null];
	for (const entry of entries) {
		const next = entry.at.slice(0, 10);
		const all = next === day ? [entry] : [{ kind: 'next-day', next, at: entry.at }, entry];
		for (const each of all) {
			const text = formatJournalEntry(each, previous);
			yield [entryKey(day, ++number), Buffer.from(text)];
			previous = hashOf(text);
			if (each.kind === 'next-day') [day, number] = [next, 0];
		}
	}
}

/** A backup and its verification, each with its start and its end. */
function runsOf(number, age, now) {
	const { label, at } = labelOf(number, age, now);
	return ['backup', 'verify'].flatMap((verb, index) => {
		const startedAt = later(at, index * 20);
		const common = {
			...{ run: runId(), verb, group: groupOf(number), label, host: 'n8n', pid: 1, program: PROGRAM, startedAt },
			actor: { via: 'n8n', workflow: 'backup', execution: String(age), node: 'Back Up Databases' },
		};
		const end = { outcome: 'ok', code: null, facts: { originalBytes: BYTES, storedBytes: CONTENT.length } };
		return [
			{ kind: 'start', at: startedAt, ...common },
			{ kind: 'end', at: later(at, index * 20 + 20), ...common, ...end },
		];
	});
}

let runs = 0;
/** Twelve of the letters that such ids have. */
function runId() {
	return (runs++)
		.toString(8)
		.replace(/[01]/g, (digit) => 'ab'[digit])
		.padStart(12, 'c');
}

/** What the node does for health, and then for the page: the first one and that of a group. */
async function status() {
	const now = new Date();
	const signal = new AbortController().signal;
	const start = performance.now();
	const facts = await readStorage(await Repository.open(storage), { now, signal });
	const judged = judge([facts], { now, policies: [{ group: '*', policy: POLICY_PRESETS.critical.policy }] });
	const seconds = secondsSince(start);
	const middle = performance.now();
	const pages = [{}, { group: groupOf(0) }].map((query) => renderPage(judged, { timeZone: 'UTC', query }));
	return {
		...{
			seconds,
			pageSeconds: secondsSince(middle),
			pageBytes: Math.max(...pages.map((text) => Buffer.byteLength(text))),
		},
		...{ groups: judged.counts.groups, restorable: judged.counts.restorable, runs: facts.runs.length },
		backups: judged.groups.reduce((sum, each) => sum + each.backups, 0),
	};
}
