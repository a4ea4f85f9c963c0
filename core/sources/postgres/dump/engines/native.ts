/** A pg_dump program of this machine as an engine. Everything secret goes through its environment, nothing through argv. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../../base/temporary-folder';
import { abortError, BackupError } from '../../../../base/errors';
import { CONNECT_TIMEOUT_MS } from '../../connection/connection';
import { cleanText, dumpError, toBackupError } from '../../connection/errors';
import { type DatabaseTarget, describeTarget } from '../../connection/target';
import { type Forwarder, forwardLocally, type TunnelTarget } from '../../connection/tunnel';
import { dumpArguments } from './args';
import { DumpBody } from './body';
import { clientEnvironment, endProgram, isProgramMissing, programNotFound, readVersion } from './client-program';
import { WRITING_OPTIONS } from '../session-settings';
import type { DumpRequest, Engine, RunningDump } from './engine';
import { openOutlet, type Outlet } from './outlet';

const STDERR_LIMIT = 64 * 1024;

/** @param program path of a pg_dump; default: the one in PATH */
export function nativeEngine(program = 'pg_dump'): Engine {
	return {
		name: 'native',
		version: async () => await readVersion(program, 'pg_dump'),
		start: async (request, { signal }) => await start(program, request, signal),
	};
}

async function start(program: string, request: DumpRequest, signal: AbortSignal): Promise<RunningDump> {
	const { target, format } = request;
	if (signal.aborted) throw abortError(signal);
	const home = await createTemporaryFolder('program');
	let forwarder: Forwarder | undefined;
	let outlet: Outlet | undefined;
	let child: ChildProcess | undefined;
	const release = async () => {
		signal.removeEventListener('abort', onAbort);
		outlet?.destroy();
		if (child) await endProgram(child);
		forwarder?.close();
		await removeTemporaryFolder(home);
	};
	const body = new DumpBody({ format, of: describeTarget(target), resume: () => outlet?.resume(), stop: release });
	const onAbort = () => body.destroy(abortError(signal));

	const warnings: string[] = [];
	let stderr = '';
	try {
		outlet = await openOutlet((bytes) => body.offer(bytes));
		if (target.ssh) {
			forwarder = await forwardLocally(target as TunnelTarget, { signal, timeoutMs: CONNECT_TIMEOUT_MS });
		}
		const env = { ...(await clientEnvironment(target, home, forwarder)), PGOPTIONS: WRITING_OPTIONS };
		child = spawn(program, dumpArguments(request), { env, cwd: home, stdio: ['ignore', outlet.writeEnd, 'pipe'] });
		child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_LIMIT)));
		await once(child, 'spawn');
	} catch (error) {
		child = undefined; // it never came to life
		await release();
		throw isProgramMissing(error) ? programNotFound(program, 'pg_dump', error) : error;
	}
	outlet.writeEnd.destroy(); // the program has its own, and shall be the only one who can end it
	// 'close', not 'exit': only then all of its stderr has arrived.
	Promise.all([once(child, 'close') as Promise<[number | null, string | null]>, outlet.ended]).then(
		([[code, killedBy]]) => {
			if (code === 0) {
				warnings.push(...cleanText(stderr, target).split('\n').filter(Boolean));
				body.complete();
			} else if (forwarder?.failure) {
				body.destroy(forwarder.failure);
			} else {
				body.destroy(killedBy ? endedBy(killedBy, target) : dumpError(stderr, target));
			}
		},
		(error: Error) => body.destroy(toBackupError(error, target)),
	);
	signal.addEventListener('abort', onAbort, { once: true });
	if (signal.aborted) onAbort();
	return { body, recycle: (chunk) => outlet?.recycle(chunk), warnings };
}

/** Nobody but this machine ends a program: the server knows nothing of it. */
function endedBy(killedBy: string, target: DatabaseTarget): BackupError {
	const cause = killedBy === 'SIGKILL' ? 'Most often the machine had no memory left (see dmesg); or' : 'Probably';
	return new BackupError('dump-failed', `pg_dump of ${describeTarget(target)} was ended by ${killedBy}`, {
		hint: `${cause} somebody ended it, or the service manager stopped what n8n had started. Run the backup again.`,
	});
}
