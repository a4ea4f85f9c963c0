/** Items of the nodes that make, prove, copy and restore backups, with every field of the type it should have. */
import { amountOf, type Facts, factsOf, listOf, nameOf, numberOf, textOf, textsOf } from './values';

/** One of which nothing could be made. */
export interface Failure {
	/** A database, a group, or "run". */
	about: string;
	database: string;
	message: string;
	hint: string;
}

interface BackupName {
	group: string;
	/** '' where a node could not even begin. */
	label: string;
}

export interface StoredBackup extends BackupName {
	database: string;
	originalBytes: number;
	storedBytes: number;
	tables: number | null;
	/** Of a backup of files. */
	files: number | null;
	/** Of a backup of a bucket. */
	objects: number | null;
	seconds: number;
	location: string;
	encrypted: boolean;
	/** False where nobody has tried to open it, because n8n has no identity. */
	proved: boolean | null;
	warnings: string[];
}

export interface ReportedVerification extends BackupName {
	ok: boolean;
	/** 'environment' is no verdict: the scratch database, the storage or a setting stood in the way. */
	outcome: string;
	depth: string;
	message: string;
	hint: string;
	restoreSeconds: number | null;
	seconds: number;
	tables: number;
	rows: number;
	/** Of a backup of files that was restored. */
	files: number | null;
	/** Of a backup of a bucket that was restored. */
	objects: number | null;
	scratch: string;
	warnings: string[];
}

export interface Copied extends BackupName {
	/** 'copied', 'present', or anything else: not there. */
	status: string;
	destination: string;
	bytes: number;
	message: string;
	hint: string;
	warnings: string[];
}

export interface ReportedRestore extends BackupName {
	ok: boolean;
	/** Absent where nothing was restored. */
	done: boolean;
	database: string;
	restoredTo: string;
	seconds: number;
	originalBytes: number;
	rows: number;
	tablesCompared: number;
	rowsCompared: number;
	/** Of a backup of files or of a cluster; null for all else. */
	files: number | null;
	/** Of a backup of a bucket. */
	objects: number | null;
	/** Nothing was written: it says what would have been. */
	dryRun: boolean;
	matches: boolean;
	differences: Array<{ item: string; expected: string; found: string }>;
	/** What went wrong. */
	message: string;
	hint: string;
	warnings: string[];
}

export function readFailure(facts: Facts): Failure {
	const [database, group] = [nameOf(facts.database), nameOf(facts.group)];
	return {
		...{ about: database || group || 'run', database },
		...{ message: textOf(facts.message) || 'it failed, and said nothing', hint: textOf(facts.hint) },
	};
}

export function readStored(facts: Facts): StoredBackup {
	return {
		...backupName(facts),
		database: nameOf(facts.database),
		originalBytes: amountOf(facts.originalBytes),
		storedBytes: amountOf(facts.storedBytes),
		tables: numberOf(facts.tables),
		files: numberOf(facts.files),
		objects: numberOf(facts.objects),
		seconds: amountOf(facts.seconds),
		location: nameOf(facts.location),
		encrypted: facts.encrypted === true,
		proved: typeof facts.proved === 'boolean' ? facts.proved : null,
		warnings: textsOf(facts.warnings),
	};
}

/** @param failed whether it came as an error, whatever else it says */
export function readVerification(facts: Facts, failed: boolean): ReportedVerification {
	const { tables, rows, files, objects } = factsOf(facts.comparison);
	return {
		...backupName(facts),
		ok: facts.ok === true && !failed,
		outcome: nameOf(facts.outcome),
		depth: nameOf(facts.depth),
		message: textOf(facts.message),
		hint: textOf(facts.hint),
		restoreSeconds: numberOf(facts.restoreSeconds),
		seconds: amountOf(facts.seconds),
		...{ tables: amountOf(tables), rows: amountOf(rows), files: numberOf(files), objects: numberOf(objects) },
		scratch: nameOf(facts.scratch),
		warnings: textsOf(facts.warnings),
	};
}

/** @param failed whether it came as an error, whatever else it says */
export function readCopy(facts: Facts, failed: boolean): Copied {
	return {
		...backupName(facts),
		status: failed ? 'failed' : nameOf(facts.status),
		destination: nameOf(facts.destination),
		bytes: amountOf(facts.bytes),
		message: textOf(facts.message),
		hint: textOf(facts.hint),
		warnings: textsOf(facts.warnings),
	};
}

/** @param failed whether it came as an error: then it also has facts where it was restored, but is not what it should be */
export function readRestore(facts: Facts, failed: boolean): ReportedRestore {
	return {
		...backupName(facts),
		ok: facts.ok === true && !failed,
		done: numberOf(facts.seconds) !== null && typeof facts.restoredTo === 'string',
		database: nameOf(facts.database),
		restoredTo: nameOf(facts.restoredTo),
		seconds: amountOf(facts.seconds),
		originalBytes: amountOf(facts.originalBytes),
		...{ files: numberOf(facts.files), objects: numberOf(facts.objects), dryRun: facts.dryRun === true },
		rows: amountOf(facts.rows),
		tablesCompared: amountOf(facts.tablesCompared),
		rowsCompared: amountOf(facts.rowsCompared),
		matches: facts.countsMatch === true,
		differences: listOf(facts.differences).map((each) => {
			const { item, table, expected, found } = factsOf(each);
			return { item: nameOf(item ?? table), expected: nameOf(expected), found: nameOf(found) };
		}),
		message: failed ? textOf(facts.message) : '',
		hint: textOf(facts.hint),
		warnings: textsOf(facts.warnings),
	};
}

function backupName({ group, label }: Facts): BackupName {
	return { group: nameOf(group), label: nameOf(label) };
}
