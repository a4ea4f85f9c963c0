/** The pre-flight: would a backup succeed? Every question is asked, so that one run shows everything there is to mend. */
import { BackupError, type ErrorCode, isBackupError } from '../../base/errors';
import { ageEncrypt, type DecryptionKeys, type Encryption } from '../../codecs/age/age';
import { provesIdentity } from '../../codecs/age/keys';
import { examineJournal } from '../../records/journal/journal';
import { queryOf } from '../../sources/postgres/connection/query';
import { connect, disconnect } from '../../sources/postgres/connection/connection';
import { assertConnections, assertReadable, hiddenMappings } from '../../sources/postgres/dump/rights';
import { chooseEngine } from '../../sources/postgres/dump/engines/choose';
import { toBackupError } from '../../sources/postgres/connection/errors';
import { listTables } from '../../sources/postgres/dump/facts';
import { isFiltered, type PostgresDumpOptions } from '../../sources/postgres/dump/dump';
import { emptyWarning } from '../../sources/postgres/dump/empty-database';
import { passwordWarning } from '../../sources/postgres/connection/password-exposure';
import type { DatabaseTarget } from '../../sources/postgres/connection/target';
import { withProbe } from '../../records/probe';
import { readText } from '../../records/small-objects';
import { limitStorage } from '../../storage/limited';
import type { Storage } from '../../storage/storage';

/** One question and its answer. */
export interface Finding {
	/** Short name of the question, e.g. "storage". */
	check: string;
	ok: boolean;
	/** What was found. */
	message: string;
	/** What to do, when it is not ok. */
	hint?: string;
	code?: ErrorCode;
	/** Nothing fails, but somebody should look: also part of the message. */
	warning?: true;
}

export interface DatabaseCheck {
	database: string;
	/** On the server's disk, bytes; null when it could not be asked. */
	databaseBytes: number | null;
	findings: Finding[];
}

/** Gives what was found; `warning` when somebody should look at it. */
type Question = () => Promise<string | { warning: string }>;

/** Asks one question; a BackupError is an answer, anything else is a defect and is thrown. */
async function ask(check: string, question: Question): Promise<Finding> {
	try {
		const found = await question();
		if (typeof found === 'string') return { check, ok: true, message: found };
		return { check, ok: true, message: found.warning, warning: true };
	} catch (error) {
		if (!isBackupError(error)) throw error;
		return { check, ok: false, message: error.message, hint: error.hint, code: error.code };
	}
}

/** Whether objects can be written, read, listed and, where the keys may, removed. Leaves nothing behind that it can remove. */
export async function checkStorage(storage: Storage, signal?: AbortSignal): Promise<Finding> {
	return await ask('storage', async () => {
		const text = 'n8n-nodes-backup was here to check this storage; this file can be removed';
		const key = await withProbe(
			storage,
			text,
			async (written) => {
				const back = await readText(storage, written, signal);
				if (back !== text) {
					throw new BackupError('damaged', `${storage.location} gave back other bytes than were written`, {
						hint: 'Do not use this storage before you know why.',
					});
				}
				let listed = false;
				for await (const object of storage.list(written)) listed ||= object.key === written;
				if (listed) return written;
				throw new BackupError('access-denied', `${storage.location} does not list what is stored in it`, {
					hint: 'Allow the key to list the bucket (s3:ListBucket) below the prefix.',
				});
			},
			signal,
		);
		if (storage.appendOnly) {
			return `${storage.location} can be written, read and listed; nothing can be removed with these keys: retention has to run elsewhere`;
		}
		if (await storage.stat(key)) {
			throw new BackupError('access-denied', `${storage.location} does not let objects be removed`, {
				hint: 'Allow the key to delete objects below the prefix; retention needs it.',
			});
		}
		return `${storage.location} can be written, read, listed and cleaned up`;
	});
}

/** A storage that takes longer to answer a question is not one to rely on. */
const PATIENCE_MS = 60_000;

/** Whether the storage can be used, and, if it can, whether its journal is whole. */
export async function checkPlace(
	place: Storage,
	signal?: AbortSignal,
	stallTimeoutMs = PATIENCE_MS,
): Promise<Finding[]> {
	const storage = limitStorage(place, { stallTimeoutMs, signal });
	const found = await checkStorage(storage, signal);
	return found.ok ? [found, ...(await checkRuns(storage, signal))] : [found];
}

const DAY_MS = 24 * 3_600_000;

/** Whether the journal of the last two days is whole; no question where there is none yet. */
export async function checkRuns(storage: Storage, signal?: AbortSignal): Promise<Finding[]> {
	const now = Date.now();
	// A day more at both ends: the days are those of the storage's clock.
	const span = { from: new Date(now - 2 * DAY_MS), to: new Date(now + DAY_MS), signal };
	let isThere = true;
	const finding = await ask('journal', async () => {
		const { entries, problems } = await examineJournal(storage, span);
		isThere = entries > 0;
		if (problems.length > 0) {
			const named = problems.slice(0, 3).map(({ key, problem }) => `${key} ${problem}`);
			throw new BackupError(
				'damaged',
				`the journal is not whole: ${named.join('; ')}${problems.length > 3 ? '; …' : ''}`,
				{
					hint: 'Entries were removed or changed after they were written. Find out who can do that: backups can be removed in the same way.',
				},
			);
		}
		return `the journal of the last two days is whole: ${entries} entries`;
	});
	return isThere ? [finding] : [];
}

/** Whether the keys can encrypt, and whether the identity, if there is one, opens what they encrypt. */
export async function checkEncryption(encryption: Encryption | null, keys?: DecryptionKeys): Promise<Finding> {
	return await ask('encryption', async () => {
		if (!encryption) return 'backups are NOT encrypted: everyone who can read the storage can read them';
		if (!keys) {
			(await ageEncrypt(encryption)).destroy();
			return 'the recipients are valid; no identity is known here, so it is not proved that somebody can open the backups';
		}
		if (!(await provesIdentity(encryption, keys))) {
			throw new BackupError('wrong-identity', 'the identity does not open what is encrypted to the recipients', {
				hint: 'Add the recipient that belongs to the identity, or remove the identity.',
			});
		}
		return 'passphrase' in encryption
			? 'the passphrase is usable'
			: 'the identity opens what is encrypted to the recipients';
	});
}

/** Whether a dump of this database would succeed: reachable, an engine that fits, every table readable. */
export async function checkDatabase(
	target: DatabaseTarget,
	options: PostgresDumpOptions,
	signal: AbortSignal,
): Promise<DatabaseCheck> {
	const findings: Finding[] = [];
	let databaseBytes: number | null = null;
	let client: Awaited<ReturnType<typeof connect>> | undefined;
	findings.push(
		await ask('connection', async () => {
			const connected = await connect(target, { signal });
			client = connected;
			const { rows } = await ofServer(
				target,
				async () =>
					await connected.query<{ version: string; bytes: string }>(
						`SELECT pg_catalog.current_setting('server_version') AS version,
							pg_catalog.pg_database_size(pg_catalog.current_database())::text AS bytes`,
					),
			);
			databaseBytes = Number(rows[0]!.bytes);
			await ofServer(target, async () => await assertConnections(queryOf(connected)));
			const message = `${target.database} on PostgreSQL ${rows[0]!.version}, ${megabytes(databaseBytes)}`;
			const exposed = passwordWarning(connected);
			return exposed === null ? message : { warning: `${message}; ${exposed}` };
		}),
	);
	if (!client) return { database: target.database, databaseBytes, findings };
	const open = client;
	const questions: Array<[string, Question]> = [
		['engine', async () => await fittingEngine(open, options)],
		['privileges', async () => await readableTables(open, target.database, options)],
	];
	try {
		for (const [name, question] of questions) {
			const isLost = findings.some(({ code }) => code === 'stalled' || code === 'connection-lost');
			if (!isLost) findings.push(await ask(name, async () => await ofServer(target, question)));
		}
	} finally {
		await disconnect(open);
	}
	return { database: target.database, databaseBytes, findings };
}

async function ofServer<T>(target: DatabaseTarget, question: () => Promise<T>): Promise<T> {
	try {
		return await question();
	} catch (error) {
		throw toBackupError(error, target);
	}
}

async function fittingEngine(
	client: Awaited<ReturnType<typeof connect>>,
	{ engine: choice, nativePath }: PostgresDumpOptions,
): Promise<string> {
	const { rows } = await client.query<{ n: string }>("SELECT pg_catalog.current_setting('server_version_num') AS n");
	const engine = await chooseEngine(choice, Number(rows[0]!.n), { nativePath });
	return `${engine.name} pg_dump ${(await engine.version()).text}`;
}

async function readableTables(
	client: Awaited<ReturnType<typeof connect>>,
	database: string,
	options: PostgresDumpOptions,
): Promise<string | { warning: string }> {
	const tables = (await listTables(client, options.filter)).filter((table) => table.withRows);
	if (tables.length === 0 && !isFiltered(options.filter)) {
		const warning = await emptyWarning(queryOf(client), database, options.alongside);
		if (warning !== null) return { warning };
	}
	const query = queryOf(client);
	await assertReadable(query, tables, options.filter);
	const message = `all ${tables.length} tables can be read`;
	const hidden = await hiddenMappings(query, options.filter);
	return hidden.length === 0 ? message : { warning: [message, ...hidden].join('; ') };
}

/**
 * Whether the databases fit. A dump's stored size is not known beforehand; what the databases take on the server is an
 * upper estimate, so too little space is a finding only below a quarter of it.
 */
export async function checkSpace(storage: Storage, databaseBytes: number): Promise<Finding> {
	return await ask('space', async () => {
		const space = await storage.space();
		if (!space) return `${storage.location} does not say how much space is free`;
		const message = `${megabytes(space.free)} free of ${megabytes(space.total)}; the databases take ${megabytes(databaseBytes)} on the server`;
		if (space.free < databaseBytes / 4) {
			throw new BackupError('storage-full', message, { hint: 'Free space in the storage, or choose a larger one.' });
		}
		return message;
	});
}

function megabytes(bytes: number): string {
	return bytes < 10_000_000_000 ? `${Math.ceil(bytes / 1_000_000)} MB` : `${(bytes / 1_000_000_000).toFixed(1)} GB`;
}

/** Everything a check of several databases found, in one sentence for people. */
export function summarise(findings: Finding[]): { ok: boolean; message: string } {
	const failed = findings.filter((finding) => !finding.ok);
	if (failed.length > 0) {
		const messages = failed.map(({ message }) => message).join('; ');
		return { ok: false, message: `${failed.length} of ${findings.length} checks failed: ${messages}` };
	}
	const warnings = findings.filter(({ warning }) => warning).map(({ message }) => message);
	const more = warnings.length > 0 ? `, but: ${warnings.join('; ')}` : '';
	return { ok: true, message: `all ${findings.length} checks passed${more}` };
}
