/**
 * A base backup over plain SQL: the server is told that one begins, its files are read while it works, and it is told that it has ended.
 * The archives are like those that a server makes. (PostgreSQL manual, "Making a Base Backup Using the Low Level API".)
 */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { BackupError } from '../../../../base/errors';
import { crc32cOf, CRC32C_START, updateCrc32c } from '../../../../codecs/digest/crc32c';
import { toBackupError } from '../../connection/errors';
import { type DatabaseTarget, describeTarget } from '../../connection/target';
import { damagedPages } from '../base/archive-check';
import {
	BACKUP_MANIFEST,
	BASE_ARCHIVE,
	type BaseArchive,
	type BaseBackupFacts,
	type LogPoint,
	type Tablespace,
} from '../base/base-backup';
import { PageCheck, PageJudge } from '../base/page-check';
import { explain, logRemoved } from '../errors';
import { historyName, parseLsn, segmentName, segmentStart } from '../lsn';
import type { BaseRequest, RunningBase } from '../transport/transport';
import { FileListWriter } from './file-list-writer';
import { askIdentity } from './identity';
import { listFiles, type ServerFile } from './list-files';
import { PIECE_BYTES, readFile } from './read-files';
import { batched, type PageChecks, readAhead, readWhole } from './read-whole';
import { tarEnd, tarFilling, tarHeader } from './tar-writer';

/** Room to run ahead of a consumer that pauses briefly. */
const BUFFER_BYTES = 1024 * 1024;
const CONTROL = 'global/pg_control';
/** More than it has. */
const CONTROL_BYTES = 8192;
/** Where its checksum may lie: behind all that it says, which differs between versions. */
const CONTROL_CRC_AT = { from: 280, to: 320 };
const ATTEMPTS = 5;
const MAX_HISTORY_BYTES = 1024 * 1024;

/** What is known of the server when the backup begins. */
interface Beginning {
	start: LogPoint;
	systemIdentifier: string;
	tablespaces: Tablespace[];
	files: ServerFile[];
	warnings: string[];
	/** A group of the server's may read its files. */
	forGroup: boolean;
}

export class SqlBaseBackup implements RunningBase {
	readonly #client: Client;
	readonly #target: DatabaseTarget;
	readonly #request: BaseRequest;
	readonly #began: Beginning;
	readonly #list = new FileListWriter();
	readonly #pages: PageChecks | null;
	readonly #now = Math.floor(Date.now() / 1000);
	#end: LogPoint | null = null;

	private constructor(client: Client, target: DatabaseTarget, request: BaseRequest, began: Beginning) {
		this.#client = client;
		this.#target = target;
		this.#request = request;
		this.#began = began;
		const start = parseLsn(began.start.lsn);
		this.#pages = request.checksums ? { judge: new PageJudge(start), check: new PageCheck(start) } : null;
	}

	/**
	 * Begins; the server makes a checkpoint first. The session is in a backup from then on, until it ends.
	 * @throws what `pg` throws; BackupError 'unsupported' of a standby, 'source-changing'
	 */
	static async begin(client: Client, target: DatabaseTarget, request: BaseRequest): Promise<SqlBaseBackup> {
		const { rows } = await client.query<{ standby: boolean; catalog: number; mode: string }>(
			`SELECT pg_catalog.pg_is_in_recovery() AS standby, catalog_version_no AS catalog,
				pg_catalog.current_setting('data_directory_mode') AS mode FROM pg_catalog.pg_control_system()`,
		);
		const { standby, catalog, mode } = rows[0]!;
		if (standby) throw isStandby(target);
		const { lsn, tablespaces } = await start(client, target, request.major);
		const { systemIdentifier, timeline } = await askIdentity(client);
		const numbers = tablespaces.map(({ oid }) => oid);
		const { files, warnings } = await listFiles(client, numbers, `PG_${request.major}_${catalog}`);
		return new SqlBaseBackup(client, target, request, {
			...{ start: { lsn, timeline }, systemIdentifier, tablespaces, files, warnings },
			forGroup: (Number.parseInt(mode, 8) & 0o040) !== 0,
		});
	}

	get warnings(): readonly string[] {
		return this.#began.warnings;
	}

	async *archives(): AsyncGenerator<BaseArchive> {
		for (const { oid } of this.#began.tablespaces) {
			yield { name: `${oid}.tar`, body: this.#body(this.#tablespace(`pg_tblspc/${oid}/`)) };
		}
		yield { name: BASE_ARCHIVE, body: this.#body(this.#base()) };
		const check = this.#pages?.check;
		if (check && check.damaged > 0) throw damagedPages(describeTarget(this.#target), check);
		const { start, end } = this.facts();
		const { systemIdentifier } = this.#began;
		const list = this.#list.text({ major: this.#request.major, systemIdentifier, start, end });
		yield { name: BACKUP_MANIFEST, body: this.#body(list) };
	}

	facts(): BaseBackupFacts {
		const { start, tablespaces } = this.#began;
		if (this.#end) return { start, end: this.#end, tablespaces };
		throw new BackupError('incomplete', 'the base backup has not been read to its end');
	}

	#body(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): Readable {
		const target = this.#target;
		async function* explained() {
			try {
				for await (const chunk of chunks) if (chunk.length > 0) yield chunk;
			} catch (error) {
				throw explain(toBackupError(error, target), target);
			}
		}
		const body = Readable.from(explained(), { objectMode: false, highWaterMark: BUFFER_BYTES });
		// It may fail before somebody reads: a reader finds it broken.
		return body.on('error', () => undefined);
	}

	async *#tablespace(prefix: string): AsyncGenerator<Buffer> {
		yield* this.#files((path) => path.startsWith(prefix), prefix);
		yield tarEnd();
	}

	async *#base(): AsyncGenerator<Buffer> {
		yield* this.#files((path) => path !== CONTROL && !/^pg_tblspc\/\d+\//.test(path), '');
		for (const folder of ['pg_wal/archive_status', ...(this.#request.major >= 17 ? ['pg_wal/summaries'] : [])]) {
			yield this.#header({ path: folder, isFolder: true, mtime: this.#now });
		}
		// As the server does it: the last one of all that a checkpoint changes, and before the end.
		const control = await this.#control();
		const { label, map } = await this.#stop();
		yield* this.#file('backup_label', Buffer.from(label));
		if (map !== '') yield* this.#file('tablespace_map', Buffer.from(map));
		yield* this.#file(CONTROL, control);
		yield* this.#log();
		yield tarEnd();
	}

	/** Folders, empty files, then all others, as they are found now. */
	async *#files(isOurs: (path: string) => boolean, prefix: string): AsyncGenerator<Buffer> {
		const ours = this.#began.files.filter(({ path }) => isOurs(path));
		for (const { path, isFolder, mtime } of ours) {
			if (isFolder) yield this.#header({ path: path.slice(prefix.length), isFolder, mtime });
		}
		const files = ours.filter(({ isFolder }) => !isFolder);
		for (const { path, mtime } of files.filter(({ size }) => size === 0)) {
			yield* this.#file(path, Buffer.alloc(0), { mtime, prefix });
		}
		let crc = CRC32C_START;
		let isThere = false;
		const filled = files.filter(({ size }) => size > 0);
		for await (const { file, offset, size, length, bytes, isLast } of readWhole(this.#client, filled, this.#pages)) {
			const { path, mtime } = file;
			if (offset === 0) {
				isThere = bytes !== null;
				crc = CRC32C_START;
				if (isThere) yield this.#header({ path: path.slice(prefix.length), size, mtime });
			}
			// Dropped since it was listed: replayed, it is not there either.
			if (!isThere) continue;
			const given = filledUp(bytes, length);
			crc = updateCrc32c(crc, given);
			yield given;
			if (!isLast) continue;
			this.#list.add({ path, size, mtime, crc32c: crc32cOf(crc) });
			yield tarFilling(size);
		}
	}

	/** A small file. */
	*#file(path: string, bytes: Buffer, { mtime = this.#now, prefix = '' } = {}): Generator<Buffer> {
		const { length: size } = bytes;
		if (!path.startsWith('pg_wal/')) {
			this.#list.add({ path, size, mtime, crc32c: crc32cOf(updateCrc32c(CRC32C_START, bytes)) });
		}
		yield this.#header({ path: path.slice(prefix.length), size, mtime });
		yield bytes;
		yield tarFilling(size);
	}

	/** The server may be writing it at this moment: then its checksum is wrong. */
	async #control(): Promise<Buffer> {
		for (let attempt = 0; attempt < 20; attempt++) {
			const bytes = await readFile(this.#client, CONTROL, CONTROL_BYTES);
			if (bytes !== null && isControl(bytes)) return bytes;
			await delay(50);
		}
		throw new BackupError('damaged', `the server’s ${CONTROL} has a wrong checksum`, {
			hint: 'Look at the server’s disk, and run pg_controldata there.',
		});
	}

	async #stop(): Promise<{ label: string; map: string }> {
		const call = this.#request.major >= 15 ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)';
		const { rows } = await this.#client.query<{ lsn: string; label: string; map: string | null }>(
			`SELECT lsn, labelfile AS label, spcmapfile AS map FROM pg_catalog.${call}`,
		);
		const { lsn, label, map } = rows[0]!;
		this.#end = { lsn, timeline: this.#began.start.timeline };
		return { label, map: map?.trim() ? map : '' };
	}

	/** All that is needed to reach the end: whole files, since the server begins a new one when a backup ends. */
	async *#log(): AsyncGenerator<Buffer> {
		const { segmentBytes } = this.#request;
		const { lsn, timeline } = this.#began.start;
		if (timeline > 1) yield* this.#history(historyName(timeline));
		const end = parseLsn(this.#end!.lsn);
		for (let at = segmentStart(parseLsn(lsn), segmentBytes); at < end; at += BigInt(segmentBytes)) {
			const name = segmentName(timeline, at, segmentBytes);
			const pieces = Array.from({ length: Math.ceil(segmentBytes / PIECE_BYTES) }, (_, n) => ({
				...{ path: `pg_wal/${name}`, offset: n * PIECE_BYTES, length: PIECE_BYTES },
			}));
			yield this.#header({ path: `pg_wal/${name}`, size: segmentBytes, mtime: this.#now });
			for await (const { found } of readAhead(this.#client, batched(pieces))) {
				for (const bytes of found) {
					if (bytes?.length !== PIECE_BYTES)
						throw logRemoved(`the server has no file ${name} of its log`, this.#target);
					yield bytes;
				}
			}
			yield* this.#file(`pg_wal/archive_status/${name}.done`, Buffer.alloc(0));
		}
	}

	/** Where the timeline comes from, which a server may have lost. */
	async *#history(name: string): AsyncGenerator<Buffer> {
		const bytes = await readFile(this.#client, `pg_wal/${name}`, MAX_HISTORY_BYTES);
		if (bytes === null) return;
		yield* this.#file(`pg_wal/${name}`, bytes);
		yield* this.#file(`pg_wal/archive_status/${name}.done`, Buffer.alloc(0));
	}

	#header(entry: { path: string; isFolder?: boolean; size?: number; mtime: number }): Buffer {
		return tarHeader({ ...entry, forGroup: this.#began.forGroup });
	}
}

/** Begins when no tablespace comes or goes meanwhile: the map that the server makes of them must be that of the archives. */
async function start(
	client: Client,
	target: DatabaseTarget,
	major: number,
): Promise<{ lsn: string; tablespaces: Tablespace[] }> {
	const call = major >= 15 ? 'pg_backup_start($1, true)' : 'pg_start_backup($1, true, false)';
	const stop = major >= 15 ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)';
	for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
		const before = await readTablespaces(client);
		const { rows } = await client.query<{ lsn: string }>(`SELECT pg_catalog.${call} AS lsn`, ['n8n-nodes-backup']);
		const tablespaces = await readTablespaces(client);
		if (JSON.stringify(before) === JSON.stringify(tablespaces)) return { lsn: rows[0]!.lsn, tablespaces };
		await client.query(`SELECT FROM pg_catalog.${stop}`);
	}
	throw new BackupError('source-changing', `tablespaces of ${describeTarget(target)} come and go all the time`, {
		hint: 'Run the backup when nobody makes or drops any.',
	});
}

/** Those besides the two that every cluster has. */
async function readTablespaces(client: Client): Promise<Tablespace[]> {
	const { rows } = await client.query<{ oid: string; location: string }>(
		`SELECT * FROM (SELECT oid::text, pg_catalog.pg_tablespace_location(oid) AS location FROM pg_catalog.pg_tablespace) AS each
		WHERE location <> '' ORDER BY oid`,
	);
	return rows.map(({ oid, location }) => ({ oid: Number(oid), location }));
}

/** The bytes of a piece, with zeros for what the file lacks by now: replayed, it is as long as the server says. */
function filledUp(bytes: Buffer | null, length: number): Buffer {
	if (bytes?.length === length) return bytes;
	return Buffer.concat([bytes ?? Buffer.alloc(0)], length);
}

function isControl(bytes: Buffer): boolean {
	for (let at = CONTROL_CRC_AT.from; at <= CONTROL_CRC_AT.to && at + 4 <= bytes.length; at += 4) {
		if (bytes.readUInt32LE(at) === crc32cOf(updateCrc32c(CRC32C_START, bytes, 0, at))) return true;
	}
	return false;
}

function isStandby(target: DatabaseTarget): BackupError {
	return new BackupError(
		'unsupported',
		`${describeTarget(target)} is a standby, which cannot be copied over plain SQL`,
		{
			hint: 'Back up its primary, or let the standby make the copy: give the role the attribute REPLICATION, and the standby a free max_wal_senders.',
		},
	);
}
