/** What comes last of a restore: hard links, whose files must be there, and attributes of folders, which change while files come. */
import fs from 'node:fs';
import { lookAt } from '../archive/folder.ts';
import { entrySortKey } from '../entry.ts';
import { Fault } from '../fault.ts';
import type { MergedEntry } from '../merge.ts';
import { type Bytes, toDisplay, toFs } from '../names.ts';
import { namingPath } from '../thread-faults.ts';
import type { AttributeSetter } from './attributes.ts';
import type { Placer } from './placing.ts';
import type { Target } from './target.ts';

const { O_NOFOLLOW, O_DIRECTORY, O_RDONLY } = fs.constants;

export interface TreeParts {
	target: Target;
	/** The same folder once more, so that looking for a file elsewhere does not close the folders that are open. */
	sources: Target;
	attributes: AttributeSetter;
	placer: Placer;
	/** Told what could not be made, and why. */
	notRestored: (entry: MergedEntry, why: string) => void;
}

/** Makes the hard links, and gives each folder its attributes after all that is in it. */
export function finishTree(entries: Iterable<MergedEntry>, parts: TreeParts): void {
	const { target, attributes } = parts;
	const open: Array<{ key: string; entry: MergedEntry }> = [];
	const leave = ({ entry }: { entry: MergedEntry }) => {
		const { folder, name } = target.folderOf(entry.path);
		const fd = fs.openSync(toFs(folder.at(name)), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		try {
			attributes.setByDescriptor(fd, entry);
		} finally {
			fs.closeSync(fd);
		}
	};
	const leaveLast = () => {
		const last = open.pop()!;
		namingPath(last.entry.path, () => leave(last));
	};
	for (const entry of entries) {
		// All else is there already, and a file that stands in for another name of it is not in order.
		if (entry.type !== 'directory' && entry.type !== 'link') continue;
		const key = entrySortKey(entry);
		while (open.length > 0 && !key.startsWith(open.at(-1)!.key)) leaveLast();
		if (entry.type === 'directory') open.push({ key, entry });
		else namingPath(entry.path, () => link(entry, parts));
	}
	while (open.length > 0) leaveLast();
}

function link(entry: MergedEntry, { sources, placer, notRestored }: TreeParts): void {
	const from = ownFile(entry.target!, sources, placer);
	if (from !== null) placer.link(entry, from);
	else notRestored(entry, `a hard link to ${toDisplay(entry.target!)}, which is not among what is restored`);
}

/** A file that this restore has made; null where there is none of that name. */
function ownFile(path: Bytes, sources: Target, { beganAt }: Placer): Bytes | null {
	try {
		const { folder, name } = sources.folderOf(path, false);
		const stats = lookAt(folder.at(name));
		return stats?.isFile() && stats.ctimeNs >= beganAt ? folder.at(name) : null;
	} catch (error) {
		if (error instanceof Fault || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
		throw error;
	}
}
