/**
 * The comments with which pg_dump begins what belongs to one object (src/bin/pg_dump/pg_backup_archiver.c,
 * _printTocEntry). They hold for all statements until the next one.
 */
import { decode } from '../replay/sql-tokens';

export interface TocEntry {
	/** As pg_dump writes it: with spaces for line breaks, and for many types more than the object's own name. */
	readonly name: string;
	/** "TABLE", "FK CONSTRAINT", "ACL", … */
	readonly type: string;
	/** Null for what is in no schema. */
	readonly schema: string | null;
}

/** Names can look like the end of such a line. The last thing that does is the real one, unless a schema or role is named so. */
const ENTRY = /^-- (?:Data for )?Name: (.*); Type: ([A-Z ]+); Schema: (.*?); Owner: .*$/gm;
const SERVER = /^-- Dumped from database version (\d+)/m;
/** More than the comments before one statement. */
const MAX_BYTES = 16 * 1024;

/** What stands between two statements: white space and comments. */
export class Gap {
	#text = '';

	add(bytes: Buffer): void {
		this.#text = (this.#text + bytes.toString('latin1')).slice(-MAX_BYTES);
	}

	/** At the beginning of a dump: the major version of the server that was dumped. */
	serverMajor(): number | null {
		const found = SERVER.exec(this.#text);
		return found && Number(found[1]);
	}

	/** The last entry that begins here, if one does. */
	entry(encoding: string): TocEntry | null {
		const found = [...this.#text.matchAll(ENTRY)].at(-1);
		if (!found) return null;
		const [, name = '', type = '', schema = ''] = found;
		return { name: decode(name, encoding), type, schema: schema === '-' ? null : decode(schema, encoding) };
	}
}
