/** n8n-backup ls and diff: what is inside of a backup of files, and how two of them differ. */
import { Argument } from 'commander';
import { BackupError } from '../../core/base/errors';
import { listSome } from '../../core/records/list-some';
import { Repository } from '../../core/records/repository';
import { diffBackups, listEntries } from '../../core/sources/files/list';
import { openStorage } from '../../core/storage/create';
import { lookInto, type LookRequest } from '../../core/verbs/look/look';
import { chooseForRestore } from '../../core/verbs/restore/restore';
import {
	type AddCommand,
	type AuthorityOptions,
	HOST_KEY_HELP,
	parseBackupName,
	readAuthority,
	readHostKey,
	readKeys,
	SIGNERS_HELP,
	wholeNumberOption,
} from '../options';
import { EXIT, printJsonArray, printLines, printWarning } from '../output';

interface LookOptions extends AuthorityOptions {
	storage: string;
	identity?: string;
	hostKey?: string;
	limit?: string;
	json?: boolean;
}

const LIMIT_HELP = 'print so many of them at most, and say that there are more';

export const lsCommand: AddCommand = (program, run) => {
	program
		.command('ls')
		.description('list what is inside of a backup of files')
		.addArgument(new Argument('<backup>', 'GROUP for its newest backup, or GROUP/LABEL'))
		.addArgument(new Argument('[path]', 'only this folder or file'))
		.requiredOption('--storage <url>', 'where the backup is')
		.option('--identity <file>', 'the key that opens it')
		.option('--host-key <file>', HOST_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--limit <n>', LIMIT_HELP)
		.option('--json', 'print an array of objects')
		.action(async (name: string, path: string | undefined, options: LookOptions) => {
			await run(async (given: LookOptions, signal) => await ls(name, path, given, signal))(options);
		});
};

export const diffCommand: AddCommand = (program, run) => {
	program
		.command('diff')
		.description('show what was added, removed and changed between two backups of files')
		.addArgument(new Argument('<group>', 'their group'))
		.addArgument(new Argument('<before>', 'label of the first one'))
		.addArgument(new Argument('<after>', 'label of the second one'))
		.requiredOption('--storage <url>', 'where they are')
		.option('--identity <file>', 'the key that opens them')
		.option('--host-key <file>', HOST_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--limit <n>', LIMIT_HELP)
		.option('--json', 'print an array of objects')
		.action(async (group: string, before: string, after: string, options: LookOptions) => {
			await run(async (given: LookOptions, signal) => await diff(group, [before, after], given, signal))(options);
		});
};

async function ls(name: string, path: string | undefined, options: LookOptions, signal: AbortSignal): Promise<number> {
	const { group, label } = parseBackupName(name);
	limitOf(options);
	return await withRepository(options, signal, async (request) => {
		const { repository } = request;
		const choice = label === null ? ({ kind: 'newest' } as const) : ({ kind: 'label', label } as const);
		const chosen = await chooseForRestore(repository, await listSome(repository, [group]), choice, signal);
		for (const warning of chosen.warnings) printWarning(warning);
		await lookInto({ ...request, group, label: chosen.label }, async (backup, under) => {
			const entries = listEntries(backup, { path, signal: under });
			await printAll(entries, options, ({ mode, owner, size, modifiedAt, path: at, target }) => {
				const link = target === null ? '' : ` -> ${target}`;
				return `${mode}  ${owner.padEnd(8)}  ${String(size ?? '-').padStart(12)}  ${modifiedAt.slice(0, 19)}Z  ${at}${link}`;
			});
		});
	});
}

async function diff(
	group: string,
	labels: [string, string],
	options: LookOptions,
	signal: AbortSignal,
): Promise<number> {
	for (const label of labels) {
		if (parseBackupName(`${group}/${label}`).label !== null) continue;
		throw new BackupError('invalid-input', `"${label}" is not the label of a backup`, {
			hint: 'Labels look like 20261120T020000Z-full-k3f9; n8n-backup list shows them.',
		});
	}
	return await withRepository(options, signal, async (request) => {
		await lookInto({ ...request, group, label: labels[0] }, async (before) => {
			await lookInto({ ...request, group, label: labels[1] }, async (after, under) => {
				const signs = { added: '+', removed: '-', changed: 'M' };
				await printAll(diffBackups(before, after, under), options, ({ change, path, what }) => {
					return `${signs[change]}  ${path}${what.length > 0 ? `  (${what.join(', ')})` : ''}`;
				});
			});
		});
	});
}

type Look = Omit<LookRequest, 'group' | 'label'>;

async function withRepository(
	options: LookOptions,
	signal: AbortSignal,
	work: (request: Look) => Promise<void>,
): Promise<number> {
	const keys = (await readKeys(options.identity, process.env)) ?? null;
	const hostKey = await readHostKey(options.hostKey);
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		await work({ repository: await Repository.open(storage, { signal, authority }), keys, hostKey, signal });
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}

/** Prints them one by one: there may be millions. */
async function printAll<T>(all: AsyncIterable<T>, options: LookOptions, text: (each: T) => string): Promise<void> {
	const limit = limitOf(options);
	let isCut = false;
	async function* some(): AsyncGenerator<T> {
		let printed = 0;
		for await (const each of all) {
			isCut = printed++ === limit;
			if (isCut) return;
			yield each;
		}
	}
	async function* lines(): AsyncGenerator<string> {
		for await (const each of some()) yield text(each);
	}
	await (options.json ? printJsonArray(some()) : printLines(lines()));
	if (isCut) printWarning(`there are more: these are the first ${limit}, as --limit says`);
}

function limitOf({ limit }: LookOptions): number {
	return limit === undefined ? Infinity : wholeNumberOption('--limit', limit, 1, 1_000_000_000);
}
