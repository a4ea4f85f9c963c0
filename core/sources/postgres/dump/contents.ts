/** What a dump holds, as it was counted in the dump's own snapshot. Stored beside the dump, encrypted as the dump is. */
import { z } from 'zod';
import { BackupError } from '../../../base/errors';

const [COMMA, LIST, OBJECT] = [...',[{'].map((sign) => sign.charCodeAt(0));

const count = z.number().int().nonnegative();

const table = z.object({
	schema: z.string(),
	name: z.string(),
	/** Exact, in the dump's snapshot; null where the dump leaves out the rows. */
	rows: count.nullable(),
	/** With indexes and TOAST, on the server's disk. */
	bytes: count,
	/** Schema and name of the table that it is a part of, by partitioning or inheritance; absent where it is of none. */
	partitionOf: z.tuple([z.string(), z.string()]).optional(),
	/** Of all rows, whatever their order; absent where it was not asked for or the rows are left out. */
	hash: z.string().optional(),
});

const setting = z.object({
	/** Whose sessions have it; null: everybody's. */
	role: z.string().nullable(),
	name: z.string(),
	value: z.string(),
});

const properties = z.object({
	owner: z.string(),
	/** -1: none. */
	connectionLimit: z.number().int(),
	comment: z.string().nullable(),
	/** On the database itself; null where nobody changed them. `role` null: everybody. */
	rights: z.array(z.object({ role: z.string().nullable(), privilege: z.string(), grantable: z.boolean() })).nullable(),
	/** ALTER DATABASE … SET, ALTER ROLE … IN DATABASE … SET. Lists as one text, as the server keeps them. */
	settings: z.array(setting),
});

const schema = z.object({
	format: z.literal(1),
	database: z.string(),
	/** Of the server, for life: what `pg_control_system()` says; null where it may not be asked. */
	systemIdentifier: z.string().nullable(),
	serverVersion: z.string(),
	/** E.g. 180003. */
	serverVersionNumber: count,
	encoding: z.string(),
	collation: z.string(),
	characterType: z.string(),
	/** Who sorts; absent in servers that know libc only, and in contents written by earlier versions. */
	localeProvider: z.enum(['libc', 'icu', 'builtin']).optional(),
	/** The locale of a provider other than libc. */
	locale: z.string().optional(),
	/** Of sessions in the database, as its settings and those of who dumped it have it; absent in contents of earlier versions. */
	timeZone: z.string().optional(),
	/** In which `money` is written in the dump; absent in contents of earlier versions: in the database's own. */
	moneyLocale: z.literal('C').optional(),
	/** What belongs to the database and is not in it; absent in contents of earlier versions. */
	properties: properties.optional(),
	/** Of the whole database on the server's disk, bytes. */
	databaseBytes: count,
	extensions: z.array(z.object({ name: z.string(), version: z.string() })),
	/** Roles that own something in the dump, or that it grants something to. */
	roles: z.array(z.string()),
	/** Those of them that own something in the dump; absent in contents written by earlier versions. */
	owners: z.array(z.string()).optional(),
	tables: z.array(table),
	/** null where the filter leaves them out. */
	largeObjects: count.nullable(),
});

export type DatabaseFacts = z.infer<typeof schema>;
export type TableFacts = z.infer<typeof table>;
export type DatabaseProperties = z.infer<typeof properties>;
export type DatabaseSetting = z.infer<typeof setting>;

/** 100,000 tables need about 20 MB. */
export const MAX_CONTENTS_BYTES = 128 * 1024 * 1024;
/** In all of it; 100,000 tables need about 700,000. Each takes some hundred bytes of memory at most, however short it is written. */
const MAX_VALUES = 4_000_000;

/** What is written. @throws BackupError 'unsupported' where there is more than could be read again */
export function contentsText(contents: DatabaseFacts): string {
	const text = `${JSON.stringify(contents, null, 1)}\n`;
	if (Buffer.byteLength(text) <= MAX_CONTENTS_BYTES && countValues(text) <= MAX_VALUES) return text;
	throw new BackupError('unsupported', 'the database has more tables and columns than one backup can tell of', {
		hint: 'Back up some of its schemas at a time.',
	});
}

/**
 * Reads the text of a database's contents.
 * @throws BackupError 'newer-format', 'damaged'
 */
export function parseContents(text: string): DatabaseFacts {
	try {
		if (countValues(text) > MAX_VALUES) throw new Error(`more than ${MAX_VALUES} values`);
		return schema.parse(JSON.parse(text));
	} catch (cause) {
		throw new BackupError('damaged', 'the contents of the backup are not what this program writes', {
			hint: 'They were changed or damaged. Use another backup.',
			cause,
		});
	}
}

/** About how many values JSON has, seen without parsing it: each follows a comma or the beginning of a list or an object. */
function countValues(json: string): number {
	let count = 0;
	for (let at = 0; at < json.length; at++) {
		const code = json.charCodeAt(at);
		if (code === COMMA || code === LIST || code === OBJECT) count++;
	}
	return count;
}
