/**
 * The write-ahead log of a cluster as a source: all that the server has written since the backup before. It ends where the
 * server's log is safe on its disk at that moment, also in the middle of a file; what is missing of the file is zeros.
 */
import { createHash } from 'node:crypto';
import { Readable, Transform } from 'node:stream';
import { BackupError, isBackupError } from '../../../../base/errors';
import type { Manifest } from '../../../../records/manifest';
import type { OpenSource, Source, SourcePart } from '../../../source';
import { toBackupError } from '../../connection/errors';
import { type DatabaseTarget, describeTarget } from '../../connection/target';
import { serverMark } from '../../server-mark';
import { type Cluster, readCluster } from '../cluster';
import { explain, START_OVER } from '../errors';
import {
	formatLsn,
	historyName,
	parseHistory,
	parseLsn,
	segmentStart,
	sortableLsn,
	timelineText,
	WAL_PAGE_BYTES,
} from '../lsn';
import { transportWarnings } from '../transport/change';
import { openTransport } from '../transport/open';
import type { LogReading, Transport } from '../transport/transport';
import { formatContents, type LogContents } from './contents';
import { LOG } from './word';
import { assertTail, behind, type LogPosition, positionOf, tailStart } from './position';
import { NO_SLOT_LIMIT, readSlot, type Slot, slotWarnings } from './slot';
import { toDetails } from '../../../../records/slot-problems';
import { LogVerifier, type RestorePoint } from './verifier';

/** A run crosses as many timelines at most. */
const MAX_TIMELINES = 100;

export interface LogOptions {
	/** The slot by which the server keeps its log until it is stored: letters, digits, underscores. */
	slot: string;
	/**
	 * Begin anew where what the server has cannot be joined to what is stored. Nothing can be restored to a moment in between,
	 * and beyond it only from a base backup that is made later.
	 */
	startOver?: boolean;
}

/** Where runs get their connection from. */
export interface Connections {
	/** @throws BackupError of the connection */
	take(target: DatabaseTarget, signal: AbortSignal): Promise<Transport>;
	/** @param isUsable nothing on it was cut short */
	giveBack(transport: Transport, isUsable: boolean): Promise<void>;
}

/** A connection for each run. */
const OWN_CONNECTION: Connections = {
	take: openTransport,
	giveBack: async (transport) => await transport.close(),
};

/**
 * The log of the cluster that a database belongs to. A role that may replicate is enough, or one that may read its files over SQL.
 * @param target any database of it
 */
export function logSource(target: DatabaseTarget, options: LogOptions, connections = OWN_CONNECTION): Source {
	return {
		kind: LOG,
		async open({ signal, stallTimeoutMs, previous }) {
			const patient = { patienceMs: stallTimeoutMs, ...target };
			const transport = await connections.take(patient, signal).catch((error: unknown) => {
				throw explain(error, target);
			});
			const giveBack = async (isUsable: boolean) => await connections.giveBack(transport, isUsable);
			try {
				const source = await Collecting.begin({ transport, target: patient, giveBack }, options, previous);
				if (source !== null) return source;
				await giveBack(true);
				return null;
			} catch (error) {
				await giveBack(false);
				throw signal.aborted ? error : explain(toBackupError(error, target), target);
			}
		},
	};
}

/** The connection of a run. */
interface Session {
	transport: Transport;
	target: DatabaseTarget;
	giveBack: (isUsable: boolean) => Promise<void>;
}

/** What the source knows of each piece when it has been read. */
type Piece = LogContents['pieces'][number];

/** Where a run begins to read. */
interface Beginning {
	timeline: number;
	from: bigint;
	/** Nothing that is stored goes before it. */
	isNew: boolean;
	/** How it was before anything was collected; null where there is none. */
	slot: Slot | null;
	warnings: readonly string[];
}

/** One run of collecting. */
class Collecting implements OpenSource {
	readonly server: string;
	readonly #session: Session;
	readonly #slot: string;
	readonly #cluster: Cluster;
	readonly #warnings: string[];
	readonly #pieces: Piece[] = [];
	readonly #histories: string[] = [];
	readonly #points: RestorePoint[] = [];
	readonly #first: Beginning;
	#tail = '';
	#lastCommit: Date | null = null;
	#isWhole = false;

	private constructor(session: Session, slot: string, cluster: Cluster, first: Beginning) {
		this.#session = session;
		this.#slot = slot;
		this.#cluster = cluster;
		this.#warnings = [...first.warnings];
		this.#first = first;
		this.server = serverMark(cluster.systemIdentifier);
	}

	/** @returns null where the server has written nothing since */
	static async begin(
		session: Session,
		{ slot: name, startOver = false }: LogOptions,
		previous: Manifest | null,
	): Promise<Collecting | null> {
		const { transport, target } = session;
		const stored = positionOf(previous);
		const cluster = await readCluster(transport);
		if (cluster.inRecovery) throw isStandby(target);
		const { slot, restart, isNew, warnings } = await takeSlot(transport, name, stored !== null);
		warnings.unshift(...transportWarnings(transport, previous));
		const anew = (more: string[]): Beginning => ({
			timeline: cluster.timeline,
			from: segmentStart(parseLsn(restart), cluster.segmentBytes),
			isNew: true,
			slot,
			warnings: [...warnings, ...more],
		});
		// Whether another server may go on in this group is not ours to say: nothing of it follows what is stored.
		if (stored === null || stored.server !== serverMark(cluster.systemIdentifier)) {
			return new Collecting(session, name, cluster, anew([]));
		}
		try {
			assertAhead(cluster, stored);
			const isIdle = cluster.timeline === stored.timeline && parseLsn(cluster.flushed) === stored.end;
			const from = tailStart(stored.end);
			const { timeline, end: until } = stored;
			await assertTail(transport.readLog({ slot: name, stored: from, timeline, from, until }), stored);
			// That the slot was gone is worth a record, though nothing else is new.
			if (isIdle && !isNew) return null;
		} catch (error) {
			const reason = explain(isBackupError(error) ? error : toBackupError(error, target), target) as BackupError;
			if (!isBackupError(reason, 'broken-log') || !startOver) throw reason;
			return new Collecting(session, name, cluster, anew([`began anew: ${reason.message}; make a base backup now`]));
		}
		return new Collecting(session, name, cluster, {
			...{ timeline: stored.timeline, from: tailStart(stored.end), isNew: false, slot, warnings },
		});
	}

	async *parts(): AsyncGenerator<SourcePart> {
		let { timeline, from } = this.#first;
		const { transport } = this.#session;
		for (let count = 0; ; count++) {
			if (count === MAX_TIMELINES) throw tooManyTimelines();
			const isNewest = timeline >= this.#cluster.timeline;
			const until = isNewest ? parseLsn(this.#cluster.flushed) : null;
			const stream = transport.readLog({ slot: this.#slot, stored: this.#first.from, timeline, from, until });
			yield this.#part(stream, timeline, from);
			if (stream.next === null) break;
			timeline = stream.next.timeline;
			yield await this.#history(timeline);
			// The first file of a timeline begins with what its parent has in it.
			from = segmentStart(stream.next.start, this.#cluster.segmentBytes);
		}
		const { systemIdentifier, serverVersionNumber, segmentBytes } = this.#cluster;
		const contents = formatContents({
			version: 1,
			...{ systemIdentifier, serverVersionNumber, segmentBytes },
			pieces: this.#pieces,
			histories: this.#histories,
			restorePoints: this.#points,
		});
		yield { role: 'contents', name: 'contents.json', body: Readable.from([Buffer.from(contents)]) };
	}

	async finish() {
		const [first] = this.#pieces;
		const last = this.#pieces.at(-1)!;
		this.#isWhole = true;
		return await Promise.resolve({
			details: {
				serverVersion: this.#cluster.serverVersion,
				timeline: last.timeline,
				walStart: first!.start,
				walEnd: last.end,
				tail: this.#tail,
				lastCommit: this.#lastCommit?.toISOString() ?? null,
				newBeginning: this.#first.isNew,
				// Its size says nothing of the next one's, and no policy decides whether it stays.
				piece: true,
				transport: this.#session.transport.name,
				...(this.#first.slot && toDetails(this.#first.slot)),
			},
			warnings: this.#warnings,
		});
	}

	async close(): Promise<void> {
		await this.#session.giveBack(this.#isWhole);
	}

	/** The bytes of one timeline, which are verified and remembered on the way. */
	#part(stream: LogReading, timeline: number, from: bigint): SourcePart {
		const name = `${timelineText(timeline)}-${sortableLsn(from)}.wal`.toLowerCase();
		const { systemIdentifier, segmentBytes } = this.#cluster;
		const verifier = new LogVerifier({ systemIdentifier, segmentBytes, timeline });
		let at = from;
		let end: Buffer = Buffer.alloc(0);
		let sound = true;
		/** What is damaged on the server is stored all the same: it is all that there is. */
		const verify = (work: () => void) => {
			try {
				if (sound) work();
			} catch (error) {
				sound = false;
				this.#warnings.push(
					`${(error as Error).message}: nothing can be restored beyond that; look at the server’s disk`,
				);
			}
		};
		const body = new Transform({
			transform: (bytes: Buffer, _, done) => {
				verify(() => verifier.add(bytes, at));
				at += BigInt(bytes.length);
				const last = bytes.length < WAL_PAGE_BYTES ? Buffer.concat([end, bytes]) : bytes;
				end = Buffer.from(last.subarray(-WAL_PAGE_BYTES));
				done(null, bytes);
			},
			flush: (done) => {
				verify(() => {
					const { lastCommit, restorePoints } = verifier.finish();
					this.#lastCommit = lastCommit ?? this.#lastCommit;
					this.#points.push(...restorePoints);
				});
				this.#pieces.push({ name, timeline, start: formatLsn(from), end: formatLsn(at) });
				const tail = end.subarray(end.length - Number(at - tailStart(at)));
				this.#tail = createHash('sha256').update(tail).digest('hex');
				done();
			},
		});
		stream.on('error', (error) => body.destroy(error));
		body.on('error', () => stream.destroy());
		return { role: 'data', name, body: stream.pipe(body) };
	}

	/** The file that says where a timeline comes from. */
	async #history(timeline: number): Promise<SourcePart> {
		const text = await this.#session.transport.readHistory(timeline);
		if (parseHistory(text).length === 0) {
			throw new BackupError('incomplete', `the server does not say where timeline ${timeline} comes from`, {
				hint: 'Look into the server’s log, and run it again.',
			});
		}
		const name = historyName(timeline).toLowerCase();
		this.#histories.push(name);
		return { role: 'data', name, body: Readable.from([Buffer.from(text)]) };
	}
}

/** From where on the server has its log, and what keeps it. */
interface KeptLog {
	slot: Slot | null;
	restart: string;
	isNew: boolean;
	warnings: string[];
}

/** Uses the slot, or makes it; does without where there can be none. */
async function takeSlot(transport: Transport, name: string, isKnown: boolean): Promise<KeptLog> {
	const { client } = transport;
	const found = await readSlot(client, name);
	if (transport.noSlots !== null) {
		const { rows } = await client.query<{ redo: string }>(
			'SELECT redo_lsn AS redo FROM pg_catalog.pg_control_checkpoint()',
		);
		return { slot: found, restart: rows[0]!.redo, isNew: false, warnings: found ? slotWarnings(found) : [] };
	}
	if (found?.active) {
		throw new BackupError('locked', `somebody else is reading the log by the slot ${name}`, {
			hint: 'Two runs collect the log of one cluster for one group: wait for the other one, or stop it.',
		});
	}
	if (found && found.restart !== null) {
		return { slot: found, restart: found.restart, isNew: false, warnings: slotWarnings(found) };
	}
	const warnings = isKnown
		? [`the slot ${name} was ${found ? 'lost: the server has removed log that it kept' : 'gone'}; it was made anew`]
		: [];
	if (found) await transport.dropSlot(name);
	await transport.createSlot(name);
	const slot = (await readSlot(client, name))!;
	if (slot.safeBytes === null) warnings.push(NO_SLOT_LIMIT);
	return { slot, restart: slot.restart!, isNew: true, warnings };
}

/** @throws BackupError 'broken-log' when the server is not as far as what is stored */
function assertAhead({ timeline, flushed }: Cluster, stored: LogPosition): void {
	if (timeline < stored.timeline) {
		throw new BackupError('broken-log', `the server is on timeline ${timeline}, and ${stored.timeline} is stored`, {
			hint: `${START_OVER} It is an older copy of the server.`,
		});
	}
	if (timeline === stored.timeline && parseLsn(flushed) < stored.end) throw behind();
}

function isStandby(target: DatabaseTarget): BackupError {
	return new BackupError('unsupported', `${describeTarget(target)} is a standby: its log is its primary's`, {
		hint: 'Collect the log of the primary. When this one is promoted, collecting goes on here.',
	});
}

function tooManyTimelines(): BackupError {
	return new BackupError('unsupported', `the server has changed its timeline more than ${MAX_TIMELINES} times since`, {
		hint: START_OVER,
	});
}
