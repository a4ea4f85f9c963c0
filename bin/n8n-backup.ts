#!/usr/bin/env node
/** The engine without n8n: for scripts, tests, and the day n8n is what was lost. */
import { Command, CommanderError } from 'commander';
import { BackupError, isBackupError } from '../core/base/errors';
import { listening } from '../core/base/events';
import { PROGRAM } from '../core/base/program';
import type { AddCommand } from './options';
import { CANCELLED, cancelledBy, type StopSignal } from './cancelled';
import { EXIT, exitCodeOf, printError, printEvent } from './output';

/** In the order in which the help shows them. */
const COMMANDS: Record<string, () => Promise<AddCommand>> = {
	dump: async () => (await import('./commands/dump.ts')).dumpCommand,
	archive: async () => (await import('./commands/archive.ts')).archiveCommand,
	base: async () => (await import('./commands/base.ts')).baseCommand,
	wal: async () => (await import('./commands/wal.ts')).walCommand,
	'wal-get': async () => (await import('./commands/wal-get.ts')).walGetCommand,
	slot: async () => (await import('./commands/slot.ts')).slotCommand,
	bucket: async () => (await import('./commands/bucket.ts')).bucketCommand,
	config: async () => (await import('./commands/config.ts')).configCommand,
	workflows: async () => (await import('./commands/workflows.ts')).workflowsCommand,
	list: async () => (await import('./commands/list.ts')).listCommand,
	ls: async () => (await import('./commands/ls.ts')).lsCommand,
	diff: async () => (await import('./commands/ls.ts')).diffCommand,
	status: async () => (await import('./commands/status.ts')).statusCommand,
	runs: async () => (await import('./commands/status.ts')).runsCommand,
	cancel: async () => (await import('./commands/cancel.ts')).cancelCommand,
	verify: async () => (await import('./commands/verify.ts')).verifyCommand,
	copy: async () => (await import('./commands/copy.ts')).copyCommand,
	check: async () => (await import('./commands/check.ts')).checkCommand,
	restore: async () => (await import('./commands/restore.ts')).restoreCommand,
	expire: async () => (await import('./commands/expire.ts')).expireCommand,
	approve: async () => (await import('./commands/approve.ts')).approveCommand,
	prune: async () => (await import('./commands/prune.ts')).pruneCommand,
	pin: async () => (await import('./commands/pin.ts')).pinCommand,
	unpin: async () => (await import('./commands/pin.ts')).unpinCommand,
};

/** The command that is named first, or all of them: loading those that are not wanted takes longer than a small backup. */
async function commandsFor([first = '']: string[]): Promise<AddCommand[]> {
	const wanted = Object.hasOwn(COMMANDS, first) ? [COMMANDS[first]!] : Object.values(COMMANDS);
	return await Promise.all(wanted.map((load) => load()));
}

/** An exit code, as whoever called takes it: to a server that restores, no error may look like the end of its log. */
function failureCode(argv: readonly string[], code: number): number {
	const command = argv.find((word) => !word.startsWith('-'));
	return command === 'wal-get' && code !== EXIT.ok ? EXIT.unfetched : code;
}

/** Runs the command line; resolves to the exit code. */
export async function main(argv: string[]): Promise<number> {
	const stop = new AbortController();
	let stoppedBy: StopSignal | null = null;
	// Once: who cannot wait until all is tidied up sends it again, which ends the process.
	const onSignal = (signal: NodeJS.Signals) => {
		stoppedBy = signal as StopSignal;
		stop.abort();
	};
	for (const signal of Object.keys(CANCELLED)) process.once(signal, onSignal);
	// As with `| head`: there is nobody to tell anything any more, so that the run ends, tidily.
	const onOutputError = (error: NodeJS.ErrnoException) => {
		if (error.code !== 'EPIPE') throw error;
		stop.abort(new BackupError('cancelled', 'stopped because nobody reads the output any more'));
	};
	process.stdout.on('error', onOutputError);
	process.stderr.on('error', onOutputError);
	let exitCode: number = EXIT.ok;
	let running: Command | null = null;
	const program = new Command('n8n-backup')
		.description(
			'Back up PostgreSQL databases and files, encrypted, to a folder or S3; the same engine as the n8n nodes.',
		)
		.version(PROGRAM.version)
		.option('--verbose', 'tell on stderr what happens: steps, waits, retries, broken locks')
		.exitOverride()
		.configureHelp({ showGlobalOptions: true })
		.addHelpText(
			'after',
			`
Storage URLs: file:///path, s3://bucket/prefix?endpoint=https://host:port&region=… (or ?provider=b2&region=…) and sftp://user@host/path?hostKey=SHA256:…&key=FILE
Secrets never go on the command line:
  S3 keys            AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  database password  PGPASSWORD or a PGPASSFILE
  SFTP password      N8N_BACKUP_SFTP_PASSWORD
  passphrase         N8N_BACKUP_PASSPHRASE
Exit codes: 0 ok, 1 failed, 2 wrong use, 3 incomplete, 4 verification failed, 5 locked,
130 cancelled by SIGINT (Ctrl-C), 143 by SIGTERM;
of status: 0 ok, 1 warning, 2 critical, 3 unknown; of wal-get: see its own help.`,
		)
		.hook('preAction', (_, action) => {
			running = action;
		});
	const run = <O extends { json?: boolean }>(command: (options: O, signal: AbortSignal) => Promise<number>) => {
		return async (options: O) => {
			try {
				const work = async () => await command(options, stop.signal);
				const { verbose } = program.opts<{ verbose?: boolean }>();
				exitCode = await (verbose ? listening(printEvent, work) : work());
			} catch (error) {
				if (!isBackupError(error)) throw error;
				printError(stoppedBy && running ? cancelledBy(stoppedBy, running, error) : error, options.json === true);
				exitCode = stoppedBy ? CANCELLED[stoppedBy] : failureCode(argv, exitCodeOf(error));
			}
		};
	};
	for (const add of await commandsFor(argv)) add(program, run);
	try {
		await program.parseAsync(argv, { from: 'user' });
		return exitCode;
	} catch (error) {
		// commander has already said what is wrong; help and version end with 0.
		if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : failureCode(argv, EXIT.wrongUse);
		throw error;
	} finally {
		for (const signal of Object.keys(CANCELLED)) process.removeListener(signal, onSignal);
	}
}

if (require.main === module) {
	main(process.argv.slice(2)).then(
		(code) => {
			process.exitCode = code;
		},
		(error: unknown) => {
			process.stderr.write(
				`n8n-backup: a defect of this program: ${error instanceof Error ? error.stack : String(error)}\n`,
			);
			process.exitCode = failureCode(process.argv.slice(2), EXIT.failed);
		},
	);
}
