/** n8n-backup pin and unpin: backups that no policy may remove. */
import { Argument } from 'commander';
import { BackupError } from '../../core/base/errors';
import { pinBackup, type PinRequest, type PinResult, unpinBackup } from '../../core/verbs/pin/pins';
import { Repository } from '../../core/records/repository';
import { openStorage } from '../../core/storage/create';
import { type AddCommand, type AuthorityOptions, parseBackupName, readAuthority, SIGNERS_HELP } from '../options';
import { EXIT, printJson, printLine } from '../output';

interface PinOptions extends Pick<AuthorityOptions, 'signers'> {
	storage: string;
	reason?: string;
	json?: boolean;
}

const BACKUP = new Argument('<backup>', 'GROUP/LABEL');

export const pinCommand: AddCommand = (program, run) => {
	program
		.command('pin')
		.description('keep a backup, whatever a retention policy says')
		.addArgument(BACKUP)
		.requiredOption('--storage <url>', 'where the backup is')
		.option('--reason <text>', 'why; whoever reads the storage can read it')
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print an object')
		.action(async (name: string, options: PinOptions) => {
			await run(async (given: PinOptions, signal) => await change(name, given, signal, pinBackup))(options);
		});
};

export const unpinCommand: AddCommand = (program, run) => {
	program
		.command('unpin')
		.description('let retention decide about a pinned backup again')
		.addArgument(BACKUP)
		.requiredOption('--storage <url>', 'where the backup is')
		.option('--json', 'print an object')
		.action(async (name: string, options: PinOptions) => {
			await run(async (given: PinOptions, signal) => await change(name, given, signal, unpinBackup))(options);
		});
};

async function change(
	name: string,
	options: PinOptions,
	signal: AbortSignal,
	work: (request: PinRequest) => Promise<PinResult>,
): Promise<number> {
	const { group, label } = parseBackupName(name);
	if (label === null) {
		throw new BackupError('invalid-input', `${name} does not select one backup`, {
			hint: 'Give GROUP/LABEL; list the backups to see their labels.',
		});
	}
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const repository = await Repository.open(storage, { signal, authority });
		const { reason } = options;
		const result = await work({ repository, group, label, reason, actor: { via: 'command line' }, signal });
		if (options.json) printJson(result);
		else {
			const state = result.pinned ? 'pinned' : 'not pinned';
			printLine(`${group}/${label} is ${result.changed ? state : `${state}, as before`}`);
			for (const warning of result.warnings) printLine(`warning: ${warning}`);
		}
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}
