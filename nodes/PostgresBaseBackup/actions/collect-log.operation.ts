/** Base Backup of Postgres: Collect WAL. One item out per item in, also where nothing is new, and where it was collected many times. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { dataSize, type Manifest } from '../../../core/records/manifest';
import { describeTarget } from '../../../core/sources/postgres/connection/target';
import { logDrill } from '../../../core/sources/postgres/physical/drill/drill';
import { followLog } from '../../../core/sources/postgres/physical/wal/follow';
import { slotName } from '../../../core/sources/postgres/physical/wal/slot-name';
import { logSource } from '../../../core/sources/postgres/physical/wal/source';
import type { Source, SourceDetails } from '../../../core/sources/source';
import { readAfterwards, type TestRestore } from '../../shared/afterwards';
import { backUpEach, type Made, storedFacts } from '../../shared/back-up-each';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal, progressLine } from '../../shared/run';
import { rounded } from '../../shared/summary';
import { wholeNumber } from '../../shared/values';
import { verificationVerdict } from '../../shared/verification-items';
import { LARGEST_DRILL_MB } from '../properties';
import { readSettings } from '../settings';

/** Stores the log of a cluster since the last run, once or for as long as was said. */
export async function collectLog(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const { target, groups, allowAnotherServer, store } = await readSettings(context, itemIndex);
	const startOver = context.getNodeParameter('startOver', itemIndex, false) === true;
	const forSeconds = wholeNumber('Go On For', context.getNodeParameter('goOnFor', itemIndex, 0), 0, 86_400);
	const everySeconds = wholeNumber('Store Every', context.getNodeParameter('storeEvery', itemIndex, 30), 1, 3600);
	const afterwards = { ...readAfterwards(context, itemIndex, LARGEST_DRILL_MB), keep: null };
	const storage = await openNodeStorage(context, itemIndex);
	const signal = cancelSignal(context);
	const show = progressLine(context);
	const slot = slotName(storage.location, groups.log);
	const collected = new Collected();
	const collect = async (source: Source) =>
		await backUpEach(context, itemIndex, {
			sources: [
				{
					...{ name: groups.log, group: groups.log, place: describeTarget(target), facts: { slot } },
					source: () => source,
				},
			],
			...{ noun: 'logs', code: 'incomplete', storage, settings: store, signal },
			request: { allowAnotherServer },
			then: { afterwards, testRestore: NOT_ALONE },
			onProgress: (_, { originalBytes }) => show(() => `${groups.log}: ${sizeText(originalBytes)} collected`),
			toItem: (_, made) => ({ ...collected.add(made, storedFacts(made, store)), slot }),
			nothingNew: ({ group }) => ({
				...(collected.item ?? {
					...{ summary: `${group}: nothing new`, ok: true, status: 'unchanged', group, newBeginning: false },
				}),
				slot,
			}),
		});
	try {
		if (forSeconds === 0) return await collect(logSource(target, { slot, startOver }));
		let items: INodeExecutionData[] = [];
		const following = { everyMs: everySeconds * 1000, forMs: forSeconds * 1000, slot, startOver, signal };
		await followLog(target, following, async (source) => {
			items = await collect(source);
			return !items.some(({ json }) => 'error' in json);
		});
		return items;
	} finally {
		await storage.close();
	}
}

/** Log is restored with a base backup. */
const NOT_ALONE: TestRestore = { drill: logDrill(), isPossible: () => false };

/** All that was collected while an item was worked at, as one item. */
class Collected {
	/** Null until something was stored. */
	item: IDataObject | null = null;
	readonly #warnings = new Set<string>();
	#first: Manifest | null = null;
	#lastCommit: SourceDetails[string] = null;
	#pieces = 0;
	#originalBytes = 0;
	#storedBytes = 0;

	/** @param stored of this backup @returns the facts of all of them: never bytes, never a secret */
	add({ result: { manifest, warnings }, afterwards }: Made, stored: IDataObject): IDataObject {
		const { group, label, source } = manifest;
		const { serverVersion, timeline, walEnd, lastCommit, transport } = source.details;
		const { originalBytes, storedBytes } = dataSize(manifest);
		this.#first ??= manifest;
		this.#lastCommit = lastCommit ?? this.#lastCommit;
		this.#pieces++;
		this.#originalBytes += originalBytes;
		this.#storedBytes += storedBytes;
		for (const warning of warnings) this.#warnings.add(warning);
		const { walStart, newBeginning } = this.#first.source.details;
		const size = `${sizeText(this.#originalBytes)} of log as ${sizeText(this.#storedBytes)}`;
		const times = this.#pieces === 1 ? '' : ` in ${this.#pieces} pieces`;
		const commit = typeof this.#lastCommit === 'string' ? `, the last transaction of ${this.#lastCommit}` : '';
		const verdict = afterwards.verification ? `, ${verificationVerdict(afterwards.verification)}` : '';
		this.item = {
			summary: `${group}: ${size}${times}, up to ${String(walEnd)}${commit}${verdict}`,
			ok: true,
			status: 'collected',
			...{ group, label },
			...stored,
			...(this.#pieces > 1 && this.#sums(manifest)),
			...{
				server: source.server,
				serverVersion,
				timeline,
				walStart,
				walEnd,
				lastCommit: this.#lastCommit,
				newBeginning,
				transport,
			},
		};
		return this.item;
	}

	/** What is said of one piece, of all of them. */
	#sums({ finishedAt }: Manifest): IDataObject {
		const { startedAt } = this.#first!;
		const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
		return {
			pieces: this.#pieces,
			...{ startedAt, seconds: rounded(seconds), originalBytes: this.#originalBytes, storedBytes: this.#storedBytes },
			ratio: rounded(this.#originalBytes / this.#storedBytes),
			bytesPerSecond: Math.round(this.#originalBytes / Math.max(seconds, 0.001)),
			warnings: [...this.#warnings],
		};
	}
}
