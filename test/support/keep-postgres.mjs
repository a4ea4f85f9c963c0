/**
 * Keeps one PostgreSQL server until its owner is gone, however it went (end, Ctrl-C, SIGKILL), so that no test run
 * leaves servers behind. SIGTERM stops the server earlier, SIGUSR2 kills it.
 *
 *   node keep-postgres.mjs <pid of the owner> <folder of our own> <ServerOptions as JSON>
 */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startServer } from '../../scripts/lib/postgres.mjs';

const [owner, folder, options] = process.argv.slice(2);
const born = bornAt(owner);
let wish = null;
process.once('SIGTERM', () => (wish = 'stop'));
process.once('SIGUSR2', () => (wish = 'kill'));

try {
	const server = await startServer(JSON.parse(options));
	publish({ keeper: process.pid, server });
	await end();
	await (wish === 'kill' ? server.kill() : server.stop());
} catch (error) {
	publish({ keeper: process.pid, error: String(error) });
	await end();
}
fs.rmSync(folder, { recursive: true });
try {
	fs.rmdirSync(path.dirname(folder));
} catch (error) {
	// Another keeper is still there, or has just removed it.
	if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error;
}

async function end() {
	while (wish === null && born !== null && bornAt(owner) === born) await delay(100);
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
function publish(state) {
	const file = path.join(folder, 'state.json');
	fs.writeFileSync(`${file}.half`, JSON.stringify(state), { mode: 0o600 });
	fs.renameSync(`${file}.half`, file);
}
