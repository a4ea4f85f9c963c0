/** What the verbs must know of backups of a PostgreSQL database to read them. */
import { collect } from '../../base/collect';
import { BackupError } from '../../base/errors';
import type { Manifest, StoredPart } from '../../records/manifest';
import type { DataCheck, SourceKind } from '../source';
import { type DatabaseFacts, MAX_CONTENTS_BYTES, parseContents } from './dump/contents';
import { HEADER_BYTES, readArchiveHeader } from './dump/custom-archive';
import { DumpTail } from './dump/trailer';

/** Server out of resources, stopped, or broken (SQLSTATE classes; PostgreSQL manual, appendix A). */
const OF_THE_SERVER = /^(?:53|57|58|XX)/;

export const postgresKind: SourceKind<DatabaseFacts> = {
	kind: 'postgres',
	noun: 'a database',

	async readContents(body, backup) {
		const tooLarge = () =>
			new BackupError('damaged', `the contents of ${backup} are larger than any this program writes`, {
				hint: 'Look at who else writes to this storage.',
			});
		return parseContents((await collect(body, MAX_CONTENTS_BYTES, tooLarge)).toString('utf8'));
	},

	checkData: ({ manifest }) => (dumpFormatOf(manifest) === 'custom' ? archiveHeader() : lastWords()),

	classify({ code, details }) {
		const sqlState = details?.sqlState;
		if (typeof sqlState === 'string' && OF_THE_SERVER.test(sqlState)) return 'environment';
		return code === 'restore-failed' && details?.environment === false ? 'backup' : 'unknown';
	},

	withoutNames({ details }) {
		const { sqlState = 'unknown', line = 'unknown' } = details ?? {};
		return `the server refused a statement (SQLSTATE ${String(sqlState)}) at line ${String(line)} of the dump`;
	},
};

/** As pg_dump wrote it. */
export function dumpFormatOf({ source }: Manifest): 'plain' | 'custom' {
	return source.details.format === 'custom' ? 'custom' : 'plain';
}

/**
 * The dump among the parts of a backup.
 * @throws BackupError 'invalid-manifest' where there is none, or more than one
 */
export function dumpOf({ group, label, parts }: Manifest): StoredPart {
	const [dump, ...more] = parts.filter(({ role }) => role === 'data');
	if (dump && more.length === 0) return dump;
	throw new BackupError(
		'invalid-manifest',
		`${group}/${label} has ${dump ? more.length + 1 : 'no'} parts with data, not one`,
		{
			hint: 'No backup of a database is like that: use another one.',
		},
	);
}

/** A plain dump ends with words of its own. */
function lastWords(): DataCheck {
	const tail = new DumpTail();
	return {
		add: (chunk) => tail.add(chunk),
		end() {
			if (tail.isComplete()) return;
			throw new BackupError('incomplete', 'the dump has no proper end: pg_dump’s last words are missing');
		},
	};
}

/** Of an archive in custom format, only the beginning can be judged without pg_restore. */
function archiveHeader(): DataCheck {
	const start: Buffer[] = [];
	let bytes = 0;
	return {
		add(chunk) {
			if (bytes < HEADER_BYTES) start.push(Buffer.from(chunk.subarray(0, HEADER_BYTES)));
			bytes += chunk.length;
		},
		end: () => void readArchiveHeader(Buffer.concat(start)),
	};
}
