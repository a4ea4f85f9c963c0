/**
 * Keeps something that tests use until its owner is gone, however it went (end, Ctrl-C, SIGKILL), so that no run leaves servers
 * behind. SIGTERM stops it earlier, SIGUSR2 kills it. Whoever uses it reads `state.json`: see kept.ts.
 */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Does all of that, as a process of its own: `node keep-….mjs <pid of the owner> <folder of our own> <options as JSON>`.
 * @param {(options: any, folder: string) => Promise<{ server: object, stop(): Promise<void>, kill(): Promise<void> }>} start
 */
export async function keep(start) {
	const [owner, folder, options] = process.argv.slice(2);
	const born = bornAt(owner);
	let wish = null;
	process.once('SIGTERM', () => (wish = 'stop'));
	process.once('SIGUSR2', () => (wish = 'kill'));
	const ended = async () => {
		while (wish === null && born !== null && bornAt(owner) === born) await delay(100);
	};
	try {
		const { server, stop, kill } = await start(JSON.parse(options), folder);
		publish(folder, { keeper: process.pid, server });
		await ended();
		await (wish === 'kill' ? kill() : stop());
	} catch (error) {
		publish(folder, { keeper: process.pid, error: String(error) });
		await ended();
	}
	fs.rmSync(folder, { recursive: true, maxRetries: 5 });
	try {
		fs.rmdirSync(path.dirname(folder));
	} catch (error) {
		// Another keeper is still there, or has just removed it.
		if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error;
	}
}

/** When a process started, by the kernel's clock; null when it is gone. A process id alone may be somebody else's by now. */
function bornAt(pid) {
	try {
		const [state, ...fields] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
		return state === 'Z' ? null : fields[18];
	} catch (error) {
		if (error.code === 'ENOENT' || error.code === 'ESRCH') return null;
		throw error;
	}
}

/** Readers see the whole state or none. */
function publish(folder, state) {
	const file = path.join(folder, 'state.json');
	fs.writeFileSync(`${file}.half`, JSON.stringify(state), { mode: 0o600 });
	fs.renameSync(`${file}.half`, file);
}
