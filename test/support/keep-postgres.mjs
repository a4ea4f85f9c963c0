/**
 * Keeps one PostgreSQL server for all test files of one run: started by the first test that needs it, ended when the
 * run's main process is gone, however it went (end, Ctrl-C, SIGKILL), or by SIGTERM.
 *
 *   node keep-postgres.mjs <pid of the run> <folder of our own> <ServerOptions as JSON>
 */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startServer } from '../../scripts/lib/postgres.mjs';

const [run, folder, options] = process.argv.slice(2);
const born = bornAt(run);
let ended = false;
process.once('SIGTERM', () => (ended = true));

try {
	const server = await startServer(JSON.parse(options));
	publish({ keeper: process.pid, server });
	await endOfRun();
	await server.stop();
} catch (error) {
	publish({ keeper: process.pid, error: String(error) });
	await endOfRun();
}
fs.rmSync(folder, { recursive: true });
try {
	fs.rmdirSync(path.dirname(folder));
} catch (error) {
	// Another keeper is still there, or has just removed it.
	if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error;
}

async function endOfRun() {
	while (!ended && born !== null && bornAt(run) === born) await delay(200);
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
