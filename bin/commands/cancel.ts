/** n8n-backup cancel: asks a run to stop, wherever it runs. */
import { userInfo } from 'node:os';
import { Argument } from 'commander';
import { BackupError } from '../../core/base/errors';
import { thisHost } from '../../core/base/process-identity';
import { cancelRun } from '../../core/records/cancellation';
import { Repository } from '../../core/records/repository';
import { openStorage } from '../../core/storage/create';
import type { AddCommand } from '../options';
import { EXIT, printJson, printLine } from '../output';

interface CancelOptions {
	storage: string;
	json?: boolean;
}

export const cancelCommand: AddCommand = (program, run) => {
	program
		.command('cancel')
		.description('ask a run to stop, on whatever machine; it does so within a minute and leaves nothing')
		.addArgument(new Argument('<run>', 'its id, as "runs --json" tells it'))
		.requiredOption('--storage <url>', 'where the journal is')
		.option('--json', 'print the run')
		.action(async (id: string, options: CancelOptions) => {
			await run(async (given: CancelOptions, signal) => await cancel(id, given, signal))(options);
		});
};

async function cancel(id: string, options: CancelOptions, signal: AbortSignal): Promise<number> {
	const storage = openStorage(options.storage, process.env);
	try {
		const repository = await Repository.open(storage, { signal });
		const found = await cancelRun(repository.storage, id, { by: `${userInfo().username} on ${thisHost()}`, signal });
		if (found === null) {
			throw new BackupError('invalid-input', `there is no run ${id} in the journal of the last days`, {
				hint: 'See "n8n-backup runs --json" for the ids of runs.',
			});
		}
		if (found.state !== 'running') {
			throw new BackupError('invalid-input', `the run ${id} is not under way: ${found.state}`, {
				hint: 'There is nothing to stop.',
			});
		}
		if (options.json) printJson(found);
		else printLine(`asked: ${found.verb} ${found.group ?? ''} stops within a minute`);
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}
