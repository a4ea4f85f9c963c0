/** n8n-backup copy: the same backups in another place. */
import { Argument, Option } from 'commander';
import { copyToAll, type CopyProgress, type CopyResult, type CopySummary } from '../../core/verbs/copy/copy';
import { BackupError, type ErrorCode } from '../../core/base/errors';
import { noBackup } from '../../core/records/list-some';
import { Repository } from '../../core/records/repository';
import { chooseReadable, describeUnreadable } from '../../core/records/readable-choice';
import { newestOfEach } from '../../core/records/newest';
import { sizeText } from '../../core/base/size-text';
import { openStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import {
	type AddCommand,
	ALLOW_UNSIGNED_HELP,
	allowUnsignedOption,
	type AuthorityOptions,
	repeated,
	DESTINATION_KEYS,
	envWith,
	parseBackupName,
	printUnauthenticated,
	readAuthority,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
	wholeNumberOption,
} from '../options';
import { EXIT, exitCodeOf, printJson, printLine, printWarning, showProgress } from '../output';

interface CopyCommandOptions extends AuthorityOptions {
	storage: string;
	toStorage: string[];
	missing?: boolean;
	newest?: boolean;
	wait?: string;
	rateLimit?: string;
	allowUnsigned?: boolean;
	json?: boolean;
}

export const copyCommand: AddCommand = (program, run) => {
	program
		.command('copy')
		.description('copy backups to other storages as they are, and read the copies back')
		.addArgument(
			new Argument('[backup]', 'GROUP for its newest backup, or GROUP/LABEL; with --missing only GROUP, or all groups'),
		)
		.requiredOption('--storage <url>', 'where the backups are')
		.requiredOption('--to-storage <url>', 'where to copy them; may be repeated, they are served side by side', repeated)
		.option('--missing', 'all backups that the other storage lacks')
		.addOption(new Option('--newest', 'with --missing: only the newest backup of each group'))
		.option('--wait <minutes>', 'how long to wait while another run writes to the group there', '0')
		.option('--rate-limit <mb>', 'megabytes per second for each destination')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--allow-unsigned', ALLOW_UNSIGNED_HELP)
		.option('--json', 'print the outcome and an array of results')
		.addHelpText(
			'after',
			`
Keys for S3 at the destination: N8N_BACKUP_TO_AWS_ACCESS_KEY_ID and N8N_BACKUP_TO_AWS_SECRET_ACCESS_KEY; without them
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as for the source.`,
		)
		.action(async (name: string | undefined, options: CopyCommandOptions) => {
			await run(async (given: CopyCommandOptions, signal) => await copy(name, given, signal))(options);
		});
};

async function copy(name: string | undefined, options: CopyCommandOptions, signal: AbortSignal): Promise<number> {
	const wanted = name === undefined ? null : parseBackupName(name);
	assertClear(wanted, options);
	const lockWaitMs = wholeNumberOption('--wait', options.wait ?? '0', 0, 10_080) * 60_000;
	const rate =
		options.rateLimit === undefined ? null : wholeNumberOption('--rate-limit', options.rateLimit, 1, 100_000);
	const authority = await readAuthority(options);
	const from = openStorage(options.storage, process.env);
	const to: Storage[] = [];
	try {
		const env = envWith(DESTINATION_KEYS, process.env);
		for (const url of options.toStorage) to.push(openStorage(url, env));
		const opened = await Repository.open(from, { signal, authority });
		const repository = allowUnsignedOption(opened, options, wanted);
		const group = wanted?.group;
		const what =
			wanted && !options.missing
				? { group: wanted.group, label: wanted.label ?? (await newestLabel(repository, wanted.group, signal)) }
				: { missing: { ...(group !== undefined && { groups: [group] }), newest: options.newest } };
		const summary = await copyToAll({
			...what,
			from: repository,
			to,
			limits: rate === null ? {} : { bytesPerSecond: rate * 1_000_000 },
			lockWaitMs,
			actor: { via: 'command line' },
			signal,
			onProgress: show,
		});
		showProgress(null);
		if (options.json) printJson(summary);
		else print(summary);
		if (!options.json && summary.results.length > 0) printUnauthenticated(authority);
		return exitCodeFor(summary);
	} finally {
		showProgress(null);
		for (const storage of [from, ...to]) await storage.close();
	}
}

/** @throws BackupError 'invalid-input' */
function assertClear(wanted: { label: string | null } | null, { missing, newest }: CopyCommandOptions): void {
	const unclear = (message: string, hint: string) => new BackupError('invalid-input', message, { hint });
	if (!wanted && !missing) {
		throw unclear('no backup selected', 'Name a GROUP or GROUP/LABEL, or give --missing.');
	}
	if (wanted?.label && missing) throw unclear('--missing is about all labels of a group', 'Leave out the label.');
	if (newest && !missing) throw unclear('--newest needs --missing', 'A GROUP alone means its newest backup.');
}

async function newestLabel(repository: Repository, group: string, signal: AbortSignal): Promise<string> {
	const entries = await repository.list(group);
	const { chosen, unreadable } = await chooseReadable(repository, entries, newestOfEach, signal);
	if (chosen[0]) for (const each of unreadable) printWarning(describeUnreadable(each));
	// Where none can be read, copying the newest says why.
	const newest = chosen[0] ?? unreadable[0]?.entry;
	if (newest) return newest.label;
	throw await noBackup(repository, [group]);
}

function show({ group, label, phase, bytes, totalBytes }: CopyProgress): void {
	showProgress(`${group}/${label}: ${phase}, ${sizeText(bytes)} of ${sizeText(totalBytes)}`);
}

function print({ outcome, results, warnings }: CopySummary): void {
	for (const result of results) printResult(result);
	if (results.length === 0) printLine('nothing to copy: all is there');
	for (const warning of warnings) printWarning(warning);
	if (outcome === 'degraded') process.stderr.write('n8n-backup: some copies were made, and some were not\n');
}

function printResult({ group, label, destination, status, bytes, seconds, message, hint, warnings }: CopyResult): void {
	const head = `${group}/${label} → ${destination}`;
	if (status === 'failed') printLine(`${head}: FAILED: ${message}${hint === null ? '' : `\n  ${hint}`}`);
	else if (status === 'present') printLine(`${head}: ${message}`);
	else printLine(`${head}: ${sizeText(bytes)} in ${seconds.toFixed(1)} s; ${message}`);
	for (const warning of warnings) printWarning(warning);
}

/** Where all failed of the same, its own code; a mixture is a failure. */
function exitCodeFor({ outcome, results }: CopySummary): number {
	if (outcome === 'ok') return EXIT.ok;
	const codes = new Set<ErrorCode | null>(results.map(({ code }) => code));
	const [code] = codes;
	if (codes.size > 1 || !code) return EXIT.failed;
	return exitCodeOf(new BackupError(code, 'every copy failed'));
}
