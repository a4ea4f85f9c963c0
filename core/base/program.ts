/** Who we are, for manifests, locks and PostgreSQL's list of sessions, and where our files are. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NAME = 'n8n-nodes-backup';

/** The folder of this package: where its package.json is, which is one level higher in the compiled layout. */
function findRoot(): { root: string; version: string } {
	for (let folder = __dirname; ; folder = dirname(folder)) {
		try {
			const data = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string; version: string };
			if (data.name === NAME) return { root: folder, version: data.version };
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
		}
		if (folder === dirname(folder)) throw new Error(`package.json of ${NAME} not found`);
	}
}

const { root, version } = findRoot();

/** The folder that holds this package's `package.json` and `dist`. */
export const PACKAGE_ROOT = root;
export const PROGRAM = { name: NAME, version } as const;
