/** Backs up the sources that an item of a node is about, one after the other, into groups of their own. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError, type ErrorCode, isBackupError } from '../../core/base/errors';
import { dataSize } from '../../core/records/manifest';
import { Repository } from '../../core/records/repository';
import type { Source } from '../../core/sources/source';
import type { Storage } from '../../core/storage/storage';
import type { Progress } from '../../core/streams/pipeline';
import { type BackupRequest, type BackupResult, backUp } from '../../core/verbs/backup/backup';
import { actorOf } from './actor';
import { type Afterwards, type AfterwardsResult, doAfterwards, type TestRestore } from './afterwards';
import { toErrorItem } from './errors';
import { rounded } from './summary';
import type { StoreSettings } from './store-settings';

/** One of the sources. */
export interface NamedSource {
	/** For people, e.g. the database. */
	name: string;
	/** Where it is, for the message of its failure. */
	place: string;
	group: string;
	/** Made only when its turn has come. */
	source: () => Source;
	/** For the item: what it is, also where it fails. */
	facts: IDataObject;
}

/** What the sources have in common. */
export interface BackUpEachJob<Of extends NamedSource> {
	sources: readonly Of[];
	/** For people: what several of them are, e.g. "databases". */
	noun: string;
	/** Of a failure that has none of its own. */
	code: ErrorCode;
	storage: Storage;
	settings: StoreSettings;
	/** What only some kinds of sources have. */
	request?: Pick<BackupRequest, 'allowAnotherServer' | 'type'>;
	afterwards: Afterwards;
	testRestore: TestRestore;
	signal: AbortSignal;
	onProgress: (source: Of, progress: Progress) => void;
	/** The item of a backup. */
	toItem: (source: Of, made: Made) => IDataObject;
}

/** A backup that was made, and what was done with it then. */
export interface Made {
	result: BackupResult;
	/** The whole run, with what was done afterwards. */
	seconds: number;
	afterwards: AfterwardsResult;
}

/**
 * Backs up every source. One that fails does not stop the others; after all of them, it fails the item.
 * @throws BackupError of the source that failed, or of all of them; 'cancelled'
 */
export async function backUpEach<Of extends NamedSource>(
	context: IExecuteFunctions,
	itemIndex: number,
	job: BackUpEachJob<Of>,
): Promise<INodeExecutionData[]> {
	const items: INodeExecutionData[] = [];
	const failures: Array<{ source: Of; error: unknown }> = [];
	for (const source of job.sources) {
		try {
			const start = performance.now();
			const result = await backUpOne(context, source, job);
			const afterwards = await after(context, result, job);
			const json = job.toItem(source, { result, seconds: (performance.now() - start) / 1000, afterwards });
			addHints(context, source, result);
			if (afterwards.failure) {
				failures.push({ source, error: afterwards.failure });
				items.push(toErrorItem(afterwards.failure, itemIndex, json));
			} else items.push({ json, pairedItem: { item: itemIndex } });
		} catch (error) {
			if (job.signal.aborted) throw error;
			failures.push({ source, error });
			items.push(toErrorItem(error, itemIndex, { group: source.group, ...source.facts }));
		}
	}
	if (failures.length > 0 && !context.continueOnFail()) throw allFailures(failures, job);
	return items;
}

async function backUpOne<Of extends NamedSource>(
	context: IExecuteFunctions,
	source: Of,
	{ storage, settings, request, signal, onProgress }: BackUpEachJob<Of>,
): Promise<BackupResult> {
	const { encryption, ...rest } = settings;
	return await backUp({
		...{ ...rest, ...request, storage, signal },
		group: source.group,
		source: source.source(),
		encryption: encryption?.encryption ?? null,
		proveWith: encryption?.keys,
		hostKey: encryption?.hostKey,
		actor: actorOf(context),
		onProgress: (progress) => onProgress(source, progress),
	});
}

async function after<Of extends NamedSource>(
	context: IExecuteFunctions,
	{ manifest }: BackupResult,
	{ storage, settings, afterwards, testRestore, signal }: BackUpEachJob<Of>,
): Promise<AfterwardsResult> {
	const repository = await Repository.open(storage, { signal, authority: settings.authority });
	const keys = settings.encryption?.keys ?? null;
	const { lockWaitMs } = settings;
	return await doAfterwards(context, afterwards, { repository, manifest, keys, testRestore, lockWaitMs, signal });
}

/** What the item of every backup says: never bytes, never a secret. Sizes in bytes, times in seconds; `seconds` is the whole run. */
export function storedFacts(
	{ result: { manifest, location, warnings }, seconds, afterwards }: Made,
	{ tags, protect, authority }: StoreSettings,
): IDataObject {
	const ownSeconds = (Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt)) / 1000;
	const { originalBytes, storedBytes } = dataSize(manifest);
	return {
		startedAt: manifest.startedAt,
		finishedAt: manifest.finishedAt,
		seconds: rounded(seconds),
		originalBytes,
		storedBytes,
		ratio: rounded(originalBytes / storedBytes),
		bytesPerSecond: Math.round(originalBytes / Math.max(ownSeconds, 0.001)),
		encrypted: manifest.encryption !== null,
		proved: manifest.encryption?.proved ?? null,
		signed: authority.key !== null,
		location,
		tags,
		protectedUntil: protect?.until.toISOString() ?? null,
		warnings: [...warnings],
		...afterwards.facts,
	};
}

function addHints(context: IExecuteFunctions, { name }: NamedSource, { manifest, warnings }: BackupResult): void {
	const unencrypted = 'the backup is not encrypted: everyone who can read the storage can read it';
	for (const warning of manifest.encryption ? warnings : [unencrypted, ...warnings]) {
		context.addExecutionHints({ message: `${name}: ${warning}`, type: 'warning', location: 'outputPane' });
	}
	if (manifest.encryption?.proved === false) {
		context.addExecutionHints({
			message: `${name}: n8n knows only recipients, so it was not proved that the backup can be opened. Prove it where the identity is: n8n-backup verify --depth restored --identity FILE`,
			type: 'info',
			location: 'outputPane',
		});
	}
}

function allFailures<Of extends NamedSource>(
	failures: ReadonlyArray<{ source: Of; error: unknown }>,
	{ sources, noun, code }: BackUpEachJob<Of>,
): unknown {
	const [first] = failures;
	if (sources.length === 1 || !first) return first?.error;
	const each = failures.map(
		({ source, error }) => `${source.name}: ${error instanceof Error ? error.message : String(error)}`,
	);
	const known = isBackupError(first.error) ? first.error : null;
	const hint = known?.hint ? ` ${known.hint}` : '';
	return new BackupError(
		known?.code ?? code,
		`${failures.length} of ${sources.length} ${noun} could not be backed up: ${each.join('; ')}`,
		{
			hint: `Stored all the same: ${sources.length - failures.length}.${hint} (First: ${first.source.place})`,
			cause: first.error,
		},
	);
}
