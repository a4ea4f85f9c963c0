/** n8n-backup wal-get: what a restored PostgreSQL server calls for each file of its log. */
import { Argument } from 'commander';
import { BackupError } from '../../core/base/errors';
import { DEFAULT_LIMITS } from '../../core/base/limits';
import { Repository } from '../../core/records/repository';
import { fetchLogFile } from '../../core/sources/postgres/physical/restore/fetch';
import { openStorage } from '../../core/storage/create';
import { openAlongside } from '../../core/verbs/restore/alongside';
import {
	type AddCommand,
	type AuthorityOptions,
	parseBackupName,
	readAuthority,
	readKeys,
	SIGNERS_HELP,
} from '../options';
import { EXIT } from '../output';

interface WalGetOptions extends AuthorityOptions {
	storage: string;
	identity?: string;
	upToGap?: boolean;
	/** Nothing is printed. */
	json?: false;
}

export const walGetCommand: AddCommand = (program, run) => {
	program
		.command('wal-get')
		.description('give a server that restores one file of its log: for restore_command')
		.addArgument(new Argument('<base>', 'GROUP/LABEL of the base backup that the server was restored from'))
		.addArgument(new Argument('<file>', 'the name of the file: %f'))
		.addArgument(new Argument('<path>', 'where the server wants it: %p'))
		.requiredOption('--storage <url>', 'where the log is')
		.option('--identity <file>', 'the key that opens it')
		.option('--signers <file>', SIGNERS_HELP)
		.option('--up-to-gap', 'where log is missing, restore what is before that; otherwise it is an error')
		.addHelpText(
			'after',
			`
Exit codes: 0 given, 1 nothing of it is stored, which ends the recovery; ${EXIT.unfetched} for every error: PostgreSQL then stops, and can be
started again when the error is mended.`,
		)
		.action(async (base: string, file: string, to: string, options: WalGetOptions) => {
			await run(async (given: WalGetOptions, signal) => await walGet({ base, file, to }, given, signal))(options);
		});
};

async function walGet(
	{ base, file, to }: { base: string; file: string; to: string },
	options: WalGetOptions,
	signal: AbortSignal,
): Promise<number> {
	const { group, label } = parseBackupName(base);
	if (label === null) {
		throw new BackupError('invalid-input', `${base} names no backup`, {
			hint: 'Give the label of the base backup too: other log belongs to each of them.',
		});
	}
	const keys = (await readKeys(options.identity, process.env)) ?? null;
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const repository = await Repository.open(storage, { signal, authority });
		const { stallTimeoutMs } = DEFAULT_LIMITS;
		const open = async (of: string, wanted: string) => {
			for await (const backup of openAlongside(
				{ group: of, labels: [wanted] },
				{ repository, keys, signal, stallTimeoutMs },
			))
				return backup;
			throw new TypeError('a backup was neither opened nor refused');
		};
		const { upToGap } = options;
		const isGiven = await fetchLogFile({ repository, base: { group, label }, file, to, upToGap, open, signal });
		return isGiven ? EXIT.ok : EXIT.failed;
	} finally {
		await storage.close();
	}
}
