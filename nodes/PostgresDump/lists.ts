/** What the node's fields are chosen from. */
import type { ILoadOptionsFunctions, INodePropertyOptions } from 'n8n-workflow';
import { connect, disconnect } from '../../core/sources/postgres/connection/connection';
import { listDatabases } from '../../core/sources/postgres/connection/databases';
import { toDatabaseTarget } from '../shared/credentials';

/** A server that does not answer must not keep the editor waiting, milliseconds. */
const PATIENCE_MS = 20_000;

/** For the list of a "Database Names" field: the databases of the server that the credential names. */
export async function getDatabases(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
	const target = toDatabaseTarget(await this.getCredentials('postgres'));
	const client = await connect(target, { signal: AbortSignal.timeout(PATIENCE_MS) });
	try {
		return (await listDatabases(client)).map((name) => ({ name, value: name }));
	} finally {
		await disconnect(client);
	}
}
