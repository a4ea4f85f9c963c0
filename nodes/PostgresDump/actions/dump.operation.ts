/** Postgres Dump: Dump. One item out per database. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { type BackupResult, backUp } from '../../../core/verbs/backup/backup';
import { BackupError, isBackupError } from '../../../core/base/errors';
import { toSegment } from '../../../core/records/label';
import type { Progress } from '../../../core/streams/pipeline';
import { dumpOf } from '../../../core/sources/postgres/kind';
import { postgresSource } from '../../../core/sources/postgres/dump/dump';
import { describeTarget, type DatabaseTarget } from '../../../core/sources/postgres/connection/target';
import { sizeText } from '../../../core/base/size-text';
import type { Storage } from '../../../core/storage/storage';
import { Repository } from '../../../core/records/repository';
import { actorOf } from '../../shared/actor';
import { openNodeStorage } from '../../shared/credentials';
import { toErrorItem } from '../../shared/errors';
import { cancelSignal } from '../../shared/run';
import { counted, rounded } from '../../shared/summary';
import { verdictOf } from '../../shared/verification-items';
import type { VerifyResult } from '../../../core/verbs/verify/types';
import { type Afterwards, doAfterwards, readAfterwards } from '../afterwards';
import { type DumpSettings, readSettings, readTargets } from '../settings';

/** Backs up every chosen database. One that fails does not stop the others; after all of them, it fails the item. */
export async function dump(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = await readSettings(context, itemIndex);
	const afterwards = readAfterwards(context, itemIndex);
	const prefix = (context.getNodeParameter('groupPrefix', itemIndex) as string).trim();
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const targets = await readTargets(context, itemIndex, signal);
		const items: INodeExecutionData[] = [];
		settings.dump.alongside = targets.map(({ database }) => database);
		const failures: Array<{ target: DatabaseTarget; error: unknown }> = [];
		for (const target of targets) {
			const group = `${prefix}/${toSegment(target.database)}`;
			try {
				const start = performance.now();
				const result = await dumpOne(context, { target, group, settings, storage, signal });
				const seconds = (performance.now() - start) / 1000;
				const { verification, facts, failure } = await after(context, afterwards, {
					result,
					settings,
					storage,
					signal,
				});
				const json = toItem(target, result, { seconds, verification, facts }, settings);
				addHints(context, target, result);
				if (failure) {
					failures.push({ target, error: failure });
					items.push(toErrorItem(failure, itemIndex, json));
				} else items.push({ json, pairedItem: { item: itemIndex } });
			} catch (error) {
				if (signal.aborted) throw error;
				failures.push({ target, error });
				items.push(toErrorItem(error, itemIndex, { group, database: target.database }));
			}
		}
		if (failures.length > 0 && !context.continueOnFail()) throw allFailures(failures, targets.length);
		return items;
	} finally {
		await storage.close();
	}
}

async function after(
	context: IExecuteFunctions,
	afterwards: Afterwards,
	{ result, settings, storage, signal }: { result: BackupResult } & Pick<Job, 'settings' | 'storage' | 'signal'>,
) {
	const repository = await Repository.open(storage, { signal, authority: settings.authority });
	const keys = settings.encryption?.keys ?? null;
	return await doAfterwards(context, afterwards, {
		...{ repository, manifest: result.manifest, keys, signal },
		lockWaitMs: settings.lockWaitMs,
	});
}

interface Job {
	target: DatabaseTarget;
	group: string;
	settings: DumpSettings;
	storage: Storage;
	signal: AbortSignal;
}

async function dumpOne(context: IExecuteFunctions, job: Job): Promise<BackupResult> {
	const { settings, target } = job;
	let lastShown = 0;
	return await backUp({
		storage: job.storage,
		group: job.group,
		source: postgresSource(target, settings.dump),
		encryption: settings.encryption?.encryption ?? null,
		proveWith: settings.encryption?.keys,
		hostKey: settings.encryption?.hostKey,
		authority: settings.authority,
		zstdLevel: settings.zstdLevel,
		limits: settings.limits,
		tags: settings.tags,
		allowAnotherServer: settings.allowAnotherServer,
		lockWaitMs: settings.lockWaitMs,
		protect: settings.protect,
		actor: actorOf(context),
		signal: job.signal,
		onProgress: ({ originalBytes, storedBytes }: Progress) => {
			if (Date.now() - lastShown < 5000) return;
			lastShown = Date.now();
			context.sendMessageToUI(`${target.database}: ${sizeText(originalBytes)} read, ${sizeText(storedBytes)} stored`);
		},
	});
}

/** The backup's facts: never bytes, never a secret. Sizes in bytes, times in seconds; `seconds` is the whole run. */
function toItem(
	target: DatabaseTarget,
	{ manifest, location, warnings }: BackupResult,
	{ seconds, verification, facts }: { seconds: number; verification: VerifyResult | null; facts: IDataObject },
	{ tags, protect, authority }: DumpSettings,
): IDataObject {
	const dumpSeconds = (Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt)) / 1000;
	const { details, server } = manifest.source;
	const object = dumpOf(manifest);
	const held = typeof details.tables === 'number' ? counted(details.tables, 'table') : null;
	const verdict = verification ? verdictOf(verification) : held;
	const stored = `${sizeText(object.original.bytes)} backed up as ${sizeText(object.stored.bytes)}`;
	return {
		summary: `${target.database}: ${stored}${verdict === null ? '' : `, ${verdict}`}`,
		ok: true,
		status: 'stored',
		group: manifest.group,
		label: manifest.label,
		type: manifest.type,
		database: target.database,
		startedAt: manifest.startedAt,
		finishedAt: manifest.finishedAt,
		seconds: rounded(seconds),
		originalBytes: object.original.bytes,
		storedBytes: object.stored.bytes,
		ratio: rounded(object.original.bytes / object.stored.bytes),
		bytesPerSecond: Math.round(object.original.bytes / Math.max(dumpSeconds, 0.001)),
		engine: `${details.engine} pg_dump ${details.engineVersion}`,
		server,
		serverVersion: details.serverVersion,
		format: details.format,
		tables: details.tables,
		contentHash: details.contentHash === true,
		rolesSaved: manifest.parts.some(({ role }) => role === 'globals'),
		encrypted: manifest.encryption !== null,
		proved: manifest.encryption?.proved ?? null,
		signed: authority.key !== null,
		originalBlake2b512: object.original.blake2b512,
		storedSha256: object.stored.sha256,
		location,
		object: object.name,
		tags,
		protectedUntil: protect?.until.toISOString() ?? null,
		warnings: [...warnings],
		...facts,
	};
}

function addHints(context: IExecuteFunctions, target: DatabaseTarget, { manifest, warnings }: BackupResult): void {
	const unencrypted = 'the backup is not encrypted: everyone who can read the storage can read it';
	for (const warning of manifest.encryption ? warnings : [unencrypted, ...warnings]) {
		context.addExecutionHints({ message: `${target.database}: ${warning}`, type: 'warning', location: 'outputPane' });
	}
	if (manifest.encryption?.proved === false) {
		context.addExecutionHints({
			message: `${target.database}: n8n knows only recipients, so it was not proved that the backup can be opened. Prove it where the identity is: n8n-backup verify --depth restored --identity FILE`,
			type: 'info',
			location: 'outputPane',
		});
	}
}

function allFailures(failures: Array<{ target: DatabaseTarget; error: unknown }>, total: number): unknown {
	const [first] = failures;
	if (total === 1 || !first) return first?.error;
	const each = failures.map(
		({ target, error }) => `${target.database}: ${error instanceof Error ? error.message : String(error)}`,
	);
	const code = isBackupError(first.error) ? first.error.code : 'dump-failed';
	const hint = isBackupError(first.error) && first.error.hint ? ` ${first.error.hint}` : '';
	return new BackupError(code, `${failures.length} of ${total} databases could not be backed up: ${each.join('; ')}`, {
		hint: `Stored all the same: ${total - failures.length}.${hint} (First: ${describeTarget(first.target)})`,
		cause: first.error,
	});
}
