/** Finds the configuration of a server: what lies below some folders, and what these files name. */
import { BackupError } from '../../base/errors';
import { Inspector } from './inspector';
import { type ConfigFinding, Search, type SearchOptions } from './search';

export type { ConfigFinding, SearchOptions } from './search';

/**
 * Gives every file of configuration below some folders, each once. Links are followed to what lies below the folders, and no further.
 * @param roots folders; a file among them is taken whatever it is
 * @throws BackupError 'not-found' for a root that is missing, 'invalid-input' when there is more below the roots than allowed
 */
export async function* discover(roots: readonly string[], options: SearchOptions = {}): AsyncIterable<ConfigFinding> {
	const inspector = new Inspector(null);
	try {
		for await (const { finding } of Search.below(roots, inspector, options)) yield finding;
	} finally {
		await inspector.close();
	}
}

/** Nobody searches for nothing: a folder that is empty is most often one that is not mounted. */
export function nothingFound(places: readonly string[]): BackupError {
	return new BackupError('source-missing', `there is no configuration in ${places.join(', ')}`, {
		hint: 'Name folders that hold some, such as /etc/nginx or those of the compose projects. In a container, they must be mounted into it.',
	});
}
