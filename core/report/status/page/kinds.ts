/** What the page says of backups by their kind: how one comes back, and which buttons it has. A kind that is not here has none of that. */
import type { Button } from '../../api/button';

/** How the backups of one kind come back. */
export interface KindOnPage {
	/** The page of the docs that leads the whole way by hand. */
	page: string;
	/** What reads the data, once it is opened; null where the page has to be read before that. */
	reader: string | null;
	/** Where the command restores to; null where it does not restore such a backup alone. */
	to: string | null;
	/** What the workflow of the page can do with one by itself. */
	buttons: readonly Button[];
}

const TAR = 'tar -x -p -G -C /restored';
const FILES: KindOnPage = {
	...{ page: 'docs/restore-files-by-hand.md', reader: TAR, to: '/restored', buttons: ['verify', 'drill'] },
};
const CLUSTER: KindOnPage = {
	...{ page: 'docs/restore-cluster-by-hand.md', reader: null, to: '/restored', buttons: ['verify', 'drill'] },
};

/** By the word in manifests. */
const KINDS: Readonly<Record<string, KindOnPage>> = {
	postgres: {
		page: 'docs/restore-by-hand.md',
		// A dump is a script, which could start programs of whoever reads it: the page tells how psql reads it without that.
		reader: null,
		to: "'postgres://user@host:5432/new_name'",
		buttons: ['backup', 'verify', 'drill'],
	},
	files: FILES,
	config: FILES,
	bucket: { page: 'docs/buckets.md', reader: null, to: '/restored', buttons: ['verify', 'drill'] },
	cluster: CLUSTER,
	// Log is restored with a base backup of its cluster.
	wal: { ...CLUSTER, to: null, buttons: ['verify'] },
};

const UNKNOWN: KindOnPage = { page: 'docs/restore-by-hand.md', reader: null, to: '/restored', buttons: [] };

export function kindOnPage(kind: string): KindOnPage {
	return Object.hasOwn(KINDS, kind) ? KINDS[kind]! : UNKNOWN;
}
