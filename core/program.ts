/** Who we are, for manifests, locks and PostgreSQL's list of sessions. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The package's own package.json, which is one level higher in the compiled layout. */
function readVersion(): string {
	for (let folder = __dirname; ; folder = dirname(folder)) {
		try {
			const data = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string; version: string };
			if (data.name === 'n8n-nodes-backup') return data.version;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
		}
		if (folder === dirname(folder)) throw new Error('package.json of n8n-nodes-backup not found');
	}
}

export const PROGRAM = { name: 'n8n-nodes-backup', version: readVersion() } as const;
