/**
 * A test that did not run has proved nothing: skipped and unfinished tests fail the run, unless test/skips.json names
 * them with a reason. Its text comes before jest's summary.
 */
const fs = require('node:fs');
const path = require('node:path');

/** @type {{ name: string, reason: string }[]} `name` is the full name: describe blocks and test, joined by spaces */
const allowed = JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'skips.json'), 'utf8'));

module.exports = class SkipReporter {
	/** @param {import('@jest/types').Config.GlobalConfig} globalConfig */
	constructor(globalConfig) {
		// With -t, everything else counts as skipped.
		this.isSelection = Boolean(globalConfig.testNamePattern);
		this.isWhole = !this.isSelection && globalConfig.testPathPatterns.patterns.length === 0;
	}

	/**
	 * @param {unknown} _contexts
	 * @param {import('@jest/reporters').AggregatedResult} results
	 */
	onRunComplete(_contexts, results) {
		if (this.isSelection) return;
		const skipped = results.testResults
			.flatMap((file) => file.testResults)
			.filter(({ status }) => status === 'pending' || status === 'todo' || status === 'disabled')
			.map(({ fullName }) => fullName);
		this.problems = skipped
			.filter((name) => !allowed.some((skip) => skip.name === name && skip.reason))
			.map((name) => `skipped without a reason in test/skips.json: ${name}`);
		for (const { name, reason } of allowed) {
			if (skipped.includes(name)) process.stderr.write(`skipped: ${name} (${reason})\n`);
			else if (this.isWhole) this.problems.push(`test/skips.json names a test that was not skipped: ${name}`);
		}
		for (const problem of this.problems) process.stderr.write(`${problem}\n`);
	}

	getLastError() {
		return this.problems?.length ? new Error(this.problems.join('\n')) : undefined;
	}
};
