/** n8n-backup approve: what a source lost is right, so that retention goes on. */
import { Argument } from 'commander';
import { BackupError } from '../../core/base/errors';
import { Repository } from '../../core/records/repository';
import { openStorage } from '../../core/storage/create';
import { approveBackup } from '../../core/verbs/approve/approve';
import {
	type AddCommand,
	type AuthorityOptions,
	parseBackupName,
	readAuthority,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
} from '../options';
import { EXIT, printJson, printLine, printWarning } from '../output';

interface ApproveOptions extends AuthorityOptions {
	storage: string;
	reason?: string;
	json?: boolean;
}

export const approveCommand: AddCommand = (program, run) => {
	program
		.command('approve')
		.description('say that what the source lost up to a backup is right, so that retention may remove older ones')
		.addArgument(new Argument('<backup>', 'GROUP/LABEL'))
		.requiredOption('--storage <url>', 'where the backup is')
		.option('--reason <text>', 'why it is right; whoever reads the storage can read it')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print an object')
		.action(async (name: string, options: ApproveOptions) => {
			await run(async (given: ApproveOptions, signal) => await approve(name, given, signal))(options);
		});
};

async function approve(name: string, options: ApproveOptions, signal: AbortSignal): Promise<number> {
	const { group, label } = parseBackupName(name);
	if (label === null) {
		throw new BackupError('invalid-input', `${name} does not select one backup`, {
			hint: 'Give GROUP/LABEL; n8n-backup status names the backup that is to be approved.',
		});
	}
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const repository = await Repository.open(storage, { signal, authority });
		const { reason } = options;
		const result = await approveBackup({ repository, group, label, reason, actor: { via: 'command line' }, signal });
		if (options.json) printJson(result);
		else {
			printLine(`${group}/${label} is ${result.changed ? 'approved' : 'approved, as before'}`);
			for (const loss of result.approved) printLine(loss);
			for (const warning of result.warnings) printWarning(warning);
		}
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}
