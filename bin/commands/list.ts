/** n8n-backup list: the backups of a storage. */
import { chooseReadable } from '../../core/records/readable-choice';
import { type BackupEntry, Repository } from '../../core/records/repository';
import { sizeText } from '../../core/base/size-text';
import { type Origin, originsOf } from '../../core/records/same-server';
import { AHEAD_MS } from '../../core/records/label';
import { newestOfEach } from '../../core/records/newest';
import { openStorage } from '../../core/storage/create';
import { describeLost } from '../../core/records/catalog';
import { verificationText } from '../../core/records/verification-text';
import { type AddCommand, type AuthorityOptions, readAuthority, SIGNERS_HELP } from '../options';
import { EXIT, printJson, printLine, printWarning } from '../output';

interface ListOptions extends AuthorityOptions {
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
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print an array of objects')
		.action(run(list));
};

async function list(options: ListOptions, signal: AbortSignal): Promise<number> {
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const repository = await Repository.open(storage, { signal, authority });
		for (const warning of repository.warnings) printWarning(warning);
		const { backups: entries, leftovers } = await repository.survey(options.group);
		const known = await lookInto(repository, entries, options.group, signal);
		const mixed = groupsOfSeveralServers(entries, known);
		if (options.json) printJson(entries.map((entry) => ({ ...withDates(entry), ...known.get(entry) })));
		else if (entries.length === 0)
			printLine(options.group === undefined ? 'no backups' : `no backups of ${options.group}`);
		else for (const entry of entries) printLine(describe(entry, known.get(entry), mixed.has(entry.group)));
		for (const lost of leftovers.filter((each) => each.lost)) printWarning(describeLost(lost));
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}

/** So many backups are listed with a look into each manifest: some seconds in a far storage. */
const MAX_LOOKED_INTO = 1000;

/**
 * What the manifests say: of one group, or of not very many backups, all of them, otherwise as many as it takes to find the newest
 * of each group that can be read.
 */
async function lookInto(
	repository: Repository,
	entries: readonly BackupEntry[],
	group: string | undefined,
	signal: AbortSignal,
): Promise<Map<BackupEntry, Partial<Origin>>> {
	if (group !== undefined || entries.length <= MAX_LOOKED_INTO) return await originsOf(repository, entries, signal);
	const { unreadable } = await chooseReadable(repository, entries, newestOfEach, signal);
	return new Map(unreadable.map(({ entry, why }) => [entry, { unreadable: why }]));
}

/** Groups whose backups came from more than one server. */
function groupsOfSeveralServers(
	entries: readonly BackupEntry[],
	known: ReadonlyMap<BackupEntry, Partial<Origin>>,
): Set<string> {
	const servers = new Map<string, Set<unknown>>();
	for (const entry of entries) {
		const origin = known.get(entry);
		if (!origin || origin.unreadable) continue;
		servers.set(entry.group, (servers.get(entry.group) ?? new Set()).add(origin.server));
	}
	return new Set([...servers].flatMap(([group, found]) => (found.size > 1 ? [group] : [])));
}

function describe(entry: BackupEntry, { server, unreadable }: Partial<Origin> = {}, areMixed: boolean): string {
	const facts = [`${entry.group}/${entry.label}`, entry.type, sizeText(entry.storedBytes), verificationText(entry)];
	if (entry.pinned) facts.push('pinned');
	if (entry.startedAt > Date.now() + AHEAD_MS) facts.push('DATED IN THE FUTURE: chosen by its label only');
	if (unreadable) facts.push(`NOT READABLE: ${unreadable}`);
	else if (areMixed) facts.push(`of server ${server?.slice(0, 8) ?? 'unknown'}`);
	return facts.join('  ');
}

/** Times as people and other programs read them. */
function withDates({ startedAt, verifications, ...entry }: BackupEntry): object {
	return {
		...entry,
		startedAt: new Date(startedAt),
		verifications: verifications.map(({ at, ...found }) => ({ at: new Date(at), ...found })),
	};
}
