/** Where n8n keeps its credentials in a database. Runs in worker threads as well. */
import type { ToldFault } from '../files/faults.ts';

export interface N8nTables {
	/** Of PostgreSQL; '' in SQLite. */
	schema: string;
	credentials: string;
	/** null in an n8n that has no table of keys yet. */
	keys: string | null;
}

/** Ends of the tables' names; DB_TABLE_PREFIX stands in front. */
const CREDENTIALS = 'credentials_entity';
const KEYS = 'deployment_key';

/** Characters. n8n takes requests of up to 16 MB; a credential has a few hundred bytes. */
export const MAX_CREDENTIAL = 1_000_000;
/** A data key is added by each rotation. */
export const MAX_KEYS = 10_000;

export const TOO_LARGE: ToldFault = {
	code: 'unsupported',
	message: `a credential of n8n is larger than ${MAX_CREDENTIAL.toLocaleString('en')} characters`,
	hint: 'n8n writes none like that: look at its table of credentials.',
};
export const TOO_MANY_KEYS: ToldFault = {
	code: 'unsupported',
	message: `n8n has more than ${MAX_KEYS.toLocaleString('en')} keys of its own`,
	hint: 'n8n makes one per rotation: look at its table of keys.',
};

/** Each n8n that has its tables among these. */
export function findN8nTables(tables: ReadonlyArray<{ schema: string; name: string }>): N8nTables[] {
	return tables.flatMap(({ schema, name }) => {
		if (!name.endsWith(CREDENTIALS)) return [];
		const keys = `${name.slice(0, -CREDENTIALS.length)}${KEYS}`;
		const has = tables.some((each) => each.schema === schema && each.name === keys);
		return [{ schema, credentials: name, keys: has ? keys : null }];
	});
}
