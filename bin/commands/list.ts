/** n8n-backup list: the backups of a storage. */
import { type BackupEntry, Repository } from '../../core/repository';
import { sizeText } from '../../core/size-text';
import { serversOf } from '../../core/same-server';
import { openStorage } from '../../core/storage/create';
import { describeLost } from '../../core/survey';
import type { AddCommand } from '../options';
import { EXIT, printJson, printLine, printWarning } from '../output';

interface ListOptions {
	storage: string;
	group?: string;
	json?: boolean;
}

export const listCommand: AddCommand = (program, run) => {
	program
		.command('list')
		.description('show the backups of a storage')
		.requiredOption('--storage <url>', 'where they are')
		.option('--group <group>', 'only those of one group')
		.option('--json', 'print an array of objects')
		.action(run(list));
};

async function list(options: ListOptions, signal: AbortSignal): Promise<number> {
	const storage = openStorage(options.storage, process.env);
	try {
		const repository = await Repository.open(storage, { signal });
		for (const warning of repository.warnings) printWarning(warning);
		const { backups: entries, leftovers } = await repository.survey(options.group);
		const servers = options.group === undefined ? null : await serversOf(repository, entries, signal);
		const areMixed = new Set(servers?.values()).size > 1;
		if (options.json)
			printJson(entries.map((entry) => ({ ...withDates(entry), ...(servers && { server: servers.get(entry) }) })));
		else if (entries.length === 0) printLine('no backups');
		else
			for (const entry of entries) {
				printLine(
					`${entry.group}/${entry.label}  ${entry.type}  ${sizeText(entry.storedBytes)}${entry.pinned ? '  pinned' : ''}${areMixed ? `  of server ${servers!.get(entry)?.slice(0, 8) ?? 'unknown'}` : ''}`,
				);
			}
		for (const lost of leftovers.filter((each) => each.lost)) printWarning(describeLost(lost));
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}

/** Times as people and other programs read them. */
function withDates({ startedAt, verifications, ...entry }: BackupEntry): object {
	return {
		...entry,
		startedAt: new Date(startedAt),
		verifications: verifications.map(({ at, ...found }) => ({ at: new Date(at), ...found })),
	};
}
