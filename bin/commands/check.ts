/** n8n-backup check: would a backup succeed? */
import { type Finding, summarise } from '../../core/base/finding';
import { checkDatabase } from '../../core/sources/postgres/check';
import { checkPlace, checkSignatures, checkSpace } from '../../core/verbs/check/check';
import { DEFAULT_DUMP_OPTIONS } from '../../core/sources/postgres/dump/dump';
import { openStorage } from '../../core/storage/create';
import {
	type AddCommand,
	type AuthorityOptions,
	parseDatabaseUrl,
	readAuthority,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
} from '../options';
import { EXIT, printJson, printLine } from '../output';

interface CheckOptions extends AuthorityOptions {
	storage: string;
	database?: string;
	json?: boolean;
}

export const checkCommand: AddCommand = (program, run) => {
	program
		.command('check')
		.description('find out whether a backup would succeed')
		.requiredOption('--storage <url>', 'the storage to write, read, list and remove a small object in')
		.option('--database <url>', 'the database to look at')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print all findings')
		.action(run(check));
};

async function check(options: CheckOptions, signal: AbortSignal): Promise<number> {
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const findings: Finding[] = [...(await checkPlace(storage, signal)), await checkSignatures(authority)];
		let bytes = 0;
		if (options.database) {
			const target = await parseDatabaseUrl(options.database, process.env);
			const database = await checkDatabase(
				target,
				{ ...DEFAULT_DUMP_OPTIONS, nativePath: process.env.N8N_BACKUP_PG_DUMP },
				signal,
			);
			findings.push(...database.findings);
			bytes = database.databaseBytes ?? 0;
		}
		findings.push(await checkSpace(storage, bytes));
		const summary = summarise(findings);
		if (options.json) printJson({ ...summary, findings });
		else {
			for (const { ok, warning, check: name, message, hint } of findings) {
				printLine(
					`${!ok ? 'FAILED' : warning ? 'LOOK  ' : 'ok    '}  ${name}: ${message}${hint ? `\n        ${hint}` : ''}`,
				);
			}
		}
		return summary.ok ? EXIT.ok : EXIT.failed;
	} finally {
		await storage.close();
	}
}
