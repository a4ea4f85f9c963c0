/**
 * One measurement of bench/catalog.ts in a process of its own, on the built program: `node catalog-probe.cjs TASK URL [COUNT]`.
 * Prints one JSON object; `seconds` are those of the task itself.
 */
const { openStorage } = require('../dist/core/storage/create.js');
const { Repository } = require('../dist/core/records/repository.js');
const { planRetention } = require('../dist/core/retention/plan.js');
const { POLICY_PRESETS } = require('../dist/core/retention/presets.js');
const { bareListing, fill, secondsSince } = require('./fill.cjs');

const GROUPS = 50;
const HOUR_MS = 3_600_000;
/** Of no meaning: only names, sizes and times are looked at. */
const CONTENT = Buffer.alloc(100, 'x');

const [task, url, count = '0'] = process.argv.slice(2);
const storage = openStorage(url, process.env);

void main().finally(() => storage.close());

async function main() {
	const answer = await { fill: make, bare: () => bareListing(storage), plan }[task]();
	process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Hourly backups in fifty groups up to now, each of four objects: data, contents, manifest, and what a verification found. */
async function make() {
	await Repository.open(storage, { create: true });
	return { objects: await fill(url, objects(Number(count))) };
}

function* objects(backups) {
	const perGroup = Math.ceil(backups / GROUPS);
	for (let group = 0; group < GROUPS; group++) {
		for (let age = perGroup - 1; age >= 0; age--) {
			const stamp = new Date(Date.now() - age * HOUR_MS).toISOString().replace(/[-:]|\.\d+/g, '');
			const backup = `postgres/database-${group}/${stamp}-full-${String(age % 10_000).padStart(4, '0')}`;
			yield [`${backup}/dump.sql.zst.age`, CONTENT];
			yield [`${backup}/contents.json.zst.age`, CONTENT];
			yield [`${backup}/manifest.json`, CONTENT];
			yield [`${backup}/verified-${stamp}-restored-ok.json`, CONTENT];
		}
	}
}

/** What a run of retention does before it removes anything. */
async function plan() {
	const start = performance.now();
	const { backups } = await (await Repository.open(storage)).survey();
	const seconds = secondsSince(start);
	const middle = performance.now();
	const { groups } = planRetention(backups, POLICY_PRESETS.critical.policy, new Date());
	const kept = groups.flatMap((group) => group.backups).filter(({ action }) => action === 'keep').length;
	return { seconds, planSeconds: secondsSince(middle), backups: backups.length, kept };
}
