/**
 * Loaded into the measured program (`node --require`): at its end, writes how late its event loop was, in milliseconds,
 * into the file that BENCH_EVENT_LOOP names.
 */
const fs = require('node:fs');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { isMainThread } = require('node:worker_threads');

/** A timer fires every so many milliseconds; what Node records contains this interval. */
const RESOLUTION = 5;

const file = process.env.BENCH_EVENT_LOOP;
if (isMainThread && file) {
	const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
	delays.enable();
	const late = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION);
	process.once('exit', () => {
		fs.writeFileSync(file, JSON.stringify({ p99: late(delays.percentile(99)), max: late(delays.max) }));
	});
}
