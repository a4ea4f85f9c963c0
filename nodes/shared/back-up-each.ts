/** Backs up the sources that an item of a node is about, one after the other, into groups of their own. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import type { Actor } from '../../core/records/journal/actor';
import { dataSize } from '../../core/records/manifest';
import { Repository } from '../../core/records/repository';
import type { Source } from '../../core/sources/source';
import type { Storage } from '../../core/storage/storage';
import type { Progress } from '../../core/streams/pipeline';
import { type BackupRequest, type BackupResult, backUp, backUpNews } from '../../core/verbs/backup/backup';
import { actorOf } from './actor';
import { type Afterwards, type AfterwardsResult, doAfterwards, type TestRestore } from './afterwards';
import { doEach, type NamedSource, type Several } from './do-each';
import { rounded } from './summary';
import type { StoreSettings } from './store-settings';

/** A source, and how it is read. */
export interface SourceToBackUp extends NamedSource {
	/** Made only when its turn has come. */
	source: () => Source;
}

/** What the sources have in common. */
export interface BackUpEachJob<Of extends SourceToBackUp> extends Omit<Several<Of>, 'done'> {
	storage: Storage;
	settings: StoreSettings;
	/** What only some kinds of sources have. */
	request?: Pick<BackupRequest, 'allowAnotherServer' | 'type'>;
	/** What is done with a backup that was made; absent where that is left to other nodes. */
	then?: { afterwards: Afterwards; testRestore: TestRestore; dependents?: readonly string[] };
	onProgress: (source: Of, progress: Progress) => void;
	/** The item of a backup. */
	toItem: (source: Of, made: Made) => IDataObject;
	/** The item where nothing has come since the backup before; absent where that is an error. */
	nothingNew?: (source: Of) => IDataObject;
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
export async function backUpEach<Of extends SourceToBackUp>(
	context: IExecuteFunctions,
	itemIndex: number,
	job: BackUpEachJob<Of>,
): Promise<INodeExecutionData[]> {
	return await doEach(context, itemIndex, { ...job, done: 'backed up' }, async (source) => {
		const start = performance.now();
		const actor = actorOf(context, itemIndex);
		const result = await backUpOne(source, actor, job);
		if (result === null) return { json: job.nothingNew!(source) };
		const afterwards = await after(context, result, actor, job);
		addHints(context, source, result);
		const seconds = (performance.now() - start) / 1000;
		return { json: job.toItem(source, { result, seconds, afterwards }), failure: afterwards.failure };
	});
}

async function backUpOne<Of extends SourceToBackUp>(
	source: Of,
	actor: Actor,
	{ storage, settings, request, signal, onProgress, nothingNew }: BackUpEachJob<Of>,
): Promise<BackupResult | null> {
	const { encryption, ...rest } = settings;
	return await (nothingNew ? backUpNews : backUp)({
		...{ ...rest, ...request, storage, signal },
		group: source.group,
		source: source.source(),
		encryption: encryption?.encryption ?? null,
		proveWith: encryption?.keys,
		hostKey: encryption?.hostKey,
		actor,
		onProgress: (progress) => onProgress(source, progress),
	});
}

async function after<Of extends SourceToBackUp>(
	context: IExecuteFunctions,
	{ manifest }: BackupResult,
	actor: Actor,
	{ storage, settings, then, signal }: BackUpEachJob<Of>,
): Promise<AfterwardsResult> {
	if (!then) return { verification: null, facts: {}, failure: null };
	const { afterwards, ...how } = then;
	const repository = await Repository.open(storage, { signal, authority: settings.authority });
	const keys = settings.encryption?.keys ?? null;
	const { lockWaitMs } = settings;
	return await doAfterwards(context, afterwards, {
		repository,
		manifest,
		keys,
		...how,
		lockWaitMs,
		actor,
		signal,
	});
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
