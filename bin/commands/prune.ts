/** n8n-backup prune: what killed runs have left; with --apply it is removed. */
import { counted } from '../../core/base/counted';
import { prune, type PruneResult } from '../../core/verbs/prune/prune';
import { Repository } from '../../core/records/repository';
import { sizeText } from '../../core/base/size-text';
import { openStorage } from '../../core/storage/create';
import { type AddCommand, wholeNumberOption } from '../options';
import { EXIT, printJson, printLine } from '../output';

interface PruneOptions {
	storage: string;
	graceHours: string;
	apply?: boolean;
	json?: boolean;
}

export const pruneCommand: AddCommand = (program, run) => {
	program
		.command('prune')
		.description('show what killed runs have left; with --apply, remove it')
		.requiredOption('--storage <url>', 'where the backups are')
		.option('--grace-hours <n>', 'leave alone what is younger; longer than the longest run', '24')
		.option('--apply', 'remove it; without this nothing is removed')
		.option('--json', 'print an object')
		.action(run(pruneStorage));
};

async function pruneStorage(options: PruneOptions, signal: AbortSignal): Promise<number> {
	const graceHours = wholeNumberOption('--grace-hours', options.graceHours, 0, 24 * 365);
	const storage = openStorage(options.storage, process.env);
	try {
		const repository = await Repository.open(storage, { signal });
		const apply = options.apply === true;
		const result = await prune({ repository, graceHours, apply, actor: { via: 'command line' }, signal });
		if (options.json) printJson(result);
		else print(result);
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}

function print({ applied, orphans, staleLocks, skipped, warnings, unknown, ...counts }: PruneResult): void {
	const { unfinished, young, freedBytes, unknownCount } = counts;
	const verb = applied ? 'removed' : 'would remove';
	for (const { group, label, keys, storedBytes } of orphans) {
		printLine(
			`${verb} ${group}/${label}: ${counted(keys.length, 'object')} without a manifest, ${sizeText(storedBytes)}`,
		);
	}
	if (unfinished > 0) printLine(`${verb} ${counted(unfinished, 'unfinished upload')}`);
	if (young > 0) printLine(`left: ${counted(young, 'leftover')} younger than the grace time (--grace-hours)`);
	for (const description of staleLocks) printLine(`${verb} ${description}`);
	for (const { group, why } of skipped) printLine(`left: ${group}: ${why}`);
	if (unknownCount > 0) {
		printLine(`${counted(unknownCount, 'object')} of other programs, which stay:`);
		for (const key of unknown) printLine(`  ${key}`);
		if (unknownCount > unknown.length) printLine(`  and ${unknownCount - unknown.length} more`);
	}
	for (const warning of warnings) printLine(`warning: ${warning}`);
	const found = orphans.length + unfinished + staleLocks.length;
	if (found === 0) printLine('nothing to remove');
	else {
		const freed = `${sizeText(freedBytes)}${unfinished > 0 ? ', and what the unfinished uploads take' : ''}`;
		printLine(applied ? `freed: ${freed}` : `This frees ${freed}. Give --apply to do it.`);
	}
}
