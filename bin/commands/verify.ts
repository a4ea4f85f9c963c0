/** n8n-backup verify: proves backups, and leaves evidence beside them. */
import { readFile } from 'node:fs/promises';
import { Argument, Option } from 'commander';
import { BackupError } from '../../core/base/errors';
import type { DecryptionKeys } from '../../core/codecs/age/age';
import { assertGroup } from '../../core/records/label';
import { type N8nCheckOptions, n8nChecks, nothingToOpen } from '../../core/sources/n8n/checks';
import { lookIntoPartner } from '../../core/verbs/look/partner';
import { type Depth, DEPTHS } from '../../core/records/evidence';
import { ALLOWANCES, ALLOWED_IN_DRILLS, parseAllowances } from '../../core/sources/postgres/replay/allowances';
import { noBackup } from '../../core/records/list-some';
import { Repository } from '../../core/records/repository';
import { sizeText } from '../../core/base/size-text';
import { openStorage } from '../../core/storage/create';
import type { Assertion } from '../../core/sources/postgres/drill/assertions';
import { clusterDrill, logDrill } from '../../core/sources/postgres/physical/drill/drill';
import { withoutReplayed } from '../../core/sources/postgres/physical/groups';
import { DRILL_MOMENTS, type DrillMoment, logBehind } from '../../core/sources/postgres/physical/drill/log-behind';
import { openerOf } from '../../core/verbs/restore/alongside';
import { bucketDrill } from '../../core/sources/bucket/restore';
import { filesDrill } from '../../core/sources/files/restore/restorer';
import { postgresDrill } from '../../core/sources/postgres/drill/drill';
import type { Scratch } from '../../core/sources/postgres/drill/scratch-database';
import { chooseForVerification, newestReadable, verifyBackup } from '../../core/verbs/verify/verify';
import { type VerifyResult } from '../../core/verbs/verify/types';
import {
	type AddCommand,
	repeated,
	parseBackupName,
	parseDatabaseUrl,
	readKeys,
	ALLOW_UNSIGNED_HELP,
	allowUnsignedOption,
	type AuthorityOptions,
	printUnauthenticated,
	readAuthority,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
} from '../options';
import { EXIT, printJson, printLine, printWarning, showProgress } from '../output';

interface VerifyOptions extends AuthorityOptions {
	storage: string;
	depth: Depth;
	identity?: string;
	scratch?: string;
	assert?: string[];
	assertFile?: string;
	assertDatabase?: string;
	moment: DrillMoment;
	newest?: boolean;
	allUnverified?: boolean;
	share?: string;
	allow?: string[];
	pgRestore?: string;
	n8nCredentials?: string;
	n8nKeyFile?: string;
	allowUnsigned?: boolean;
	json?: boolean;
}

export const verifyCommand: AddCommand = (program, run) => {
	program
		.command('verify')
		.description('prove that backups are intact, up to really restoring them')
		.addArgument(
			new Argument('[backup]', 'GROUP for its newest backup, or GROUP/LABEL; without, see --newest and others'),
		)
		.requiredOption('--storage <url>', 'where the backups are')
		.addOption(
			new Option('--depth <depth>', 'the bytes as stored; read to the end; or restored and compared')
				.choices([...DEPTHS])
				.default('stored'),
		)
		.option('--identity <file>', 'the key that opens them; not needed for depth stored')
		.option('--scratch <url>', 'a server to make a scratch database on, or "embedded" (default) for small ones')
		.option('--assert <sql>', 'a question that the restored database must answer with true; may be repeated', repeated)
		.option('--assert-file <file>', 'such questions, one per line; lines that begin with -- are left out')
		.option('--assert-database <name>', 'of a cluster with several databases: the one that is asked')
		.addOption(
			new Option('--moment <moment>', 'of a cluster: restored as far as there is log, or to any moment before that')
				.choices([...DRILL_MOMENTS])
				.default('newest'),
		)
		.addOption(new Option('--newest', 'the newest backup of each group').conflicts(['allUnverified', 'share']))
		.addOption(new Option('--all-unverified', 'all that were not proved to this depth yet').conflicts('share'))
		.option('--share <1/n>', 'a part of all, another one each day: 1/7 verifies every backup once in seven days')
		.option(
			'--allow <what>',
			`what a dump may do in the scratch database though it is refused otherwise: ${ALLOWED_IN_DRILLS.join(', ')} (restore as the scratch server’s superuser itself); may be repeated`,
			repeated,
		)
		.option('--pg-restore <path>', 'for backups in custom format, when it is not in PATH')
		.option(
			'--n8n-credentials <group>',
			'open every credential of n8n’s database with the key in this archive of its folder, e.g. files/n8n',
		)
		.option('--n8n-key-file <path>', 'the file in that archive with N8N_ENCRYPTION_KEY, unless it is .n8n/config')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--allow-unsigned', ALLOW_UNSIGNED_HELP)
		.option('--json', 'print an array of results')
		.action(async (name: string | undefined, options: VerifyOptions) => {
			await run(async (given: VerifyOptions, signal) => await verify(name, given, signal))(options);
		});
};

async function verify(name: string | undefined, options: VerifyOptions, signal: AbortSignal): Promise<number> {
	const { depth } = options;
	const wanted = name === undefined ? null : parseBackupName(name);
	const share = options.share === undefined ? null : parseShare(options.share);
	const keys = (await readKeys(options.identity, process.env)) ?? null;
	const assertions = await readAssertions(options);
	const allowed = parseAllowances(options.allow ?? [], ALLOWED_IN_DRILLS);
	const allow = ALLOWANCES.filter((kind) => allowed.includes(kind));
	const asSuperuser = allowed.includes('superuser');
	const scratch = depth === 'restored' ? await parseScratch(options.scratch ?? 'embedded', asSuperuser) : undefined;
	const nativePath = options.pgRestore ?? process.env.N8N_BACKUP_PG_RESTORE;
	const asked = readN8n(options);
	if (!scratch && assertions.length > 0) {
		throw new BackupError('invalid-input', `assertions need depth "restored", not "${depth}"`, {
			hint: 'Only a restored database can be asked.',
		});
	}
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const opened = await Repository.open(storage, { signal, authority });
		const repository = allowUnsignedOption(opened, options, wanted);
		const n8n = asked && n8nChecks({ ...asked, withArchive: partnersOf(repository, asked.group, keys, signal) });
		const drills = scratch
			? [
					postgresDrill({ scratch, assertions, allow, nativePath, checks: n8n && [n8n.database] }),
					filesDrill({ checks: n8n && [n8n.files] }),
					bucketDrill(),
					clusterDrill({
						logBehind: logBehind(repository, openerOf({ repository, keys }), options.moment),
						questions: { assertions, database: options.assertDatabase },
					}),
					logDrill(),
				]
			: [];
		const results: VerifyResult[] = [];
		for (const { group, label } of await choose(repository, wanted, share, options, signal)) {
			const result = await verifyBackup({
				repository,
				group,
				label,
				depth,
				keys,
				drills,
				actor: { via: 'command line' },
				signal,
				onProgress: ({ phase, bytes, totalBytes }) =>
					showProgress(`${group}/${label}: ${phase}, ${sizeText(bytes)} of ${sizeText(totalBytes)}`),
			});
			showProgress(null);
			results.push(result);
			if (!options.json) print(result);
		}
		// Today's share, say, may well be without it.
		const wasNamed = wanted !== null || options.newest === true;
		if (n8n?.done === 0 && wasNamed && results.every(({ outcome }) => outcome === 'ok')) throw nothingToOpen(asked!);
		if (options.json) printJson(results);
		else if (results.length === 0) printLine('nothing to verify');
		else printUnauthenticated(authority);
		return exitCodeFor(results);
	} finally {
		showProgress(null);
		await storage.close();
	}
}

/** @throws BackupError 'invalid-input' */
function readN8n({ n8nCredentials: group, n8nKeyFile: keyFile, depth }: VerifyOptions) {
	if (group === undefined && keyFile === undefined) return undefined;
	if (group === undefined || depth !== 'restored') {
		const needs =
			group === undefined
				? '--n8n-key-file needs --n8n-credentials'
				: `--n8n-credentials needs --depth restored, not ${depth}`;
		throw new BackupError('invalid-input', needs, { hint: 'Only a restored database has credentials to open.' });
	}
	assertGroup(group);
	return { group, keyFile };
}

function partnersOf(
	repository: Repository,
	group: string,
	keys: DecryptionKeys | null,
	signal: AbortSignal,
): N8nCheckOptions['withArchive'] {
	return async (of, work) => await lookIntoPartner({ repository, group, of, keys, signal }, work);
}

async function choose(
	repository: Repository,
	wanted: { group: string; label: string | null } | null,
	parts: number | null,
	{ depth, newest, allUnverified }: VerifyOptions,
	signal: AbortSignal,
): Promise<Array<{ group: string; label: string }>> {
	// What is left of a label without a manifest is for the verification to say.
	if (wanted?.label) return [{ group: wanted.group, label: wanted.label }];
	if (!wanted && !newest && !allUnverified && parts === null) {
		throw new BackupError('invalid-input', 'no backup selected', {
			hint: 'Name a GROUP or GROUP/LABEL, or give --newest, --all-unverified or --share 1/7.',
		});
	}
	const listed = await repository.list(wanted?.group);
	const entries = depth === 'restored' ? withoutReplayed(listed) : listed;
	if (entries.length === 0) throw await noBackup(repository, wanted ? [wanted.group] : []);
	if (parts !== null) return chooseForVerification(entries, { kind: 'share', parts, day: new Date() }, depth);
	if (allUnverified) return chooseForVerification(entries, { kind: 'unverified' }, depth);
	return await newestReadable(repository, entries, signal);
}

function parseShare(text: string): number {
	const parts = /^1\/([1-9]\d{0,3})$/.exec(text)?.[1];
	if (parts !== undefined) return Number(parts);
	throw new BackupError('invalid-input', `invalid value for --share: ${text}`, {
		hint: 'Write 1/7 to verify a seventh of all backups each day.',
	});
}

async function parseScratch(text: string, asSuperuser: boolean): Promise<Scratch> {
	if (text === 'embedded') return { kind: 'embedded' };
	return { kind: 'server', target: await parseDatabaseUrl(text, process.env), asSuperuser };
}

async function readAssertions({ assert = [], assertFile }: VerifyOptions): Promise<Assertion[]> {
	const lines = assertFile === undefined ? [] : (await readLines(assertFile)).filter((line) => !line.startsWith('--'));
	return [...assert, ...lines].map((sql) => ({ name: sql, sql }));
}

async function readLines(path: string): Promise<string[]> {
	try {
		return (await readFile(path, 'utf8')).split('\n').filter((line) => line.trim() !== '');
	} catch (cause) {
		throw new BackupError('invalid-input', `the file of assertions ${path} cannot be read`, {
			hint: 'Check the path and who may read the file.',
			cause,
		});
	}
}

function print({ group, label, outcome, message, hint, assertions, warnings }: VerifyResult): void {
	const verdict = { ok: 'ok', bad: 'BAD', environment: 'not verified' }[outcome];
	printLine(`${group}/${label}: ${verdict}: ${message}${hint === null ? '' : `\n  ${hint}`}`);
	for (const assertion of assertions) {
		if (!assertion.ok) printLine(`  ${assertion.name}: ${assertion.message}`);
	}
	for (const warning of warnings) printWarning(warning);
}

/** A bad backup counts more than one nothing can be said of. */
function exitCodeFor(results: VerifyResult[]): number {
	if (results.some(({ outcome }) => outcome === 'bad')) return EXIT.verificationFailed;
	return results.every(({ outcome }) => outcome === 'ok') ? EXIT.ok : EXIT.failed;
}
