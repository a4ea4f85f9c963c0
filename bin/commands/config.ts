/** n8n-backup config: finds the configuration of a server, and archives it. */
import { counted } from '../../core/base/counted';
import { Option } from 'commander';
import { BackupError } from '../../core/base/errors';
import { sizeText } from '../../core/base/size-text';
import { dataSize } from '../../core/records/manifest';
import { summaryOf } from '../../core/sources/config/changes';
import { type ConfigFinding, discover } from '../../core/sources/config/discover';
import { type ConfigReport, configSource } from '../../core/sources/config/source';
import { assertStorageApart } from '../../core/sources/files/apart';
import { openStorage } from '../../core/storage/create';
import { backUp } from '../../core/verbs/backup/backup';
import { printUnprotected } from '../backup-options';
import {
	type AddCommand,
	type AuthorityOptions,
	repeated,
	type EncryptionOptions,
	HOST_KEY_HELP,
	readAuthority,
	readEncryption,
	readHostKey,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
} from '../options';
import { EXIT, printJson, printLine, printWarning } from '../output';

interface DiscoverOptions {
	search: string[];
	exclude?: string[];
	json?: boolean;
}

interface ArchiveOptions extends EncryptionOptions, AuthorityOptions {
	storage: string;
	group: string;
	search?: string[];
	path?: string[];
	exclude?: string[];
	secrets: 'removed' | 'kept';
	hostKey?: string;
	json?: boolean;
}

export const configCommand: AddCommand = (program, run) => {
	const config = program.command('config').description('find the configuration of a server, and back it up');
	config
		.command('discover')
		.description('list compose files, env files, proxies, certificates and other configuration; stores nothing')
		.requiredOption('--search <folder>', 'where to look; may be repeated', repeated)
		.option('--exclude <pattern>', 'leave out what matches, as in a .gitignore; may be repeated', repeated)
		.option('--json', 'print an array of objects')
		.action(run(discoverAll));
	config
		.command('archive')
		.description('back up the configuration that is found, without its secrets or encrypted')
		.requiredOption('--storage <url>', 'where to: file:///path or s3://bucket/prefix?endpoint=…')
		.requiredOption('--group <group>', 'name under which its backups are kept, e.g. config/server1')
		.option('--search <folder>', 'where to look for configuration; may be repeated', repeated)
		.option('--path <path>', 'a folder or file that is taken whole; may be repeated', repeated)
		.option('--exclude <pattern>', 'leave out what matches, as in a .gitignore; may be repeated', repeated)
		.addOption(
			new Option('--secrets <how>', 'removed: others may read the archive; kept: it must be encrypted')
				.choices(['removed', 'kept'])
				.default('removed'),
		)
		.option('--recipient <recipient>', 'who can open the backup, age1…; may be repeated', repeated)
		.option('--recipients-file <file>', 'recipients, one per line')
		.option('--identity <file>', 'prove right away that this identity opens the backup; shows what changed')
		.option('--host-key <file>', HOST_KEY_HELP)
		.option('--no-encryption', 'store in the clear, with --secrets removed only')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print the manifest, and what was done to each file')
		.action(run(archive));
};

async function discoverAll({ search, exclude, json }: DiscoverOptions, signal: AbortSignal): Promise<number> {
	const found: ConfigFinding[] = [];
	const skipped = (path: string, reason: string) => printWarning(`${path} ${reason}`);
	for await (const finding of discover(search, { exclude, signal, skipped })) {
		if (json) found.push(finding);
		else printFinding(finding);
	}
	if (json) printJson(found);
	return EXIT.ok;
}

function printFinding({ kind, path, size, secrets, certificates, missing, problem }: ConfigFinding): void {
	const notes = [
		problem ?? '',
		secrets === null ? 'secrets: unknown' : secrets.length > 0 ? `secrets: ${secrets.join(', ')}` : '',
		...certificates.map(({ names, notAfter }) => `certificate of ${names.join(', ')} until ${notAfter.slice(0, 10)}`),
		...missing.map((file) => `not there: ${file}`),
	].filter((note) => note !== '');
	printLine(`${kind.padEnd(12)}  ${path}  ${sizeText(size)}`);
	for (const note of notes) printLine(`${' '.repeat(14)}${note}`);
}

async function archive(options: ArchiveOptions, signal: AbortSignal): Promise<number> {
	const { group, search = [], path: paths = [], exclude = [], secrets, json } = options;
	const { encryption, keys } = await readEncryption(options, process.env);
	const hostKey = await readHostKey(options.hostKey);
	if (hostKey !== undefined && (encryption === null || 'passphrase' in encryption)) {
		throw new BackupError('invalid-input', '--host-key is given, and there are no recipients', {
			hint: 'Give --recipient too, or leave the host key out: only what is encrypted to recipients needs it.',
		});
	}
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	let report: ConfigReport | undefined;
	try {
		const source = configSource({
			...{ search, paths, exclude, secrets },
			digestSecret: hostKey ?? keys?.identities?.[0] ?? keys?.passphrase,
			assertApart: (real) => assertStorageApart(real, storage, exclude),
			onReport: (told) => (report = told),
		});
		const { manifest, location } = await backUp({
			...{ storage, group, source, encryption, proveWith: keys, hostKey, authority, signal },
			actor: { via: 'command line' },
		});
		const { record, changes, certificates, skipped } = report!;
		if (json) printJson({ ...manifest, location, record, changes, expiring: certificates, skipped });
		else {
			const { named, counted: inNumbers } = report!.remarks;
			for (const warning of [...manifest.warnings.filter((each) => !inNumbers.includes(each)), ...named]) {
				printWarning(warning);
			}
			printReport(report!);
			const { sanitisedFiles, leftOutFiles } = manifest.source.details;
			const done = `${counted(record.files.length, 'file')}, ${String(sanitisedFiles)} without their secrets, ${String(leftOutFiles)} left out`;
			printLine(`${group}/${manifest.label}: ${done}; ${sizeText(dataSize(manifest).storedBytes)} in ${location}`);
			printUnprotected({ encryption, authority }, 'the files, without their secrets');
		}
		return manifest.status === 'whole' ? EXIT.ok : EXIT.incomplete;
	} finally {
		await storage.close();
	}
}

function printReport({ record, changes }: ConfigReport): void {
	for (const { path, done, why } of record.files) if (done === 'left out') printLine(`left out: ${path} ${why}`);
	if (changes === null) return;
	printLine(`since the backup before: ${summaryOf(changes)}`);
	for (const { says } of changes) printLine(`  ${says}`);
}
