import path from 'node:path/posix';

/** The folders in which an absolute path lies, nearest first, up to the root. */
export function foldersAbove(folder: string): string[] {
	const above: string[] = [];
	for (let at = path.dirname(folder); at !== above.at(-1) && at !== folder; at = path.dirname(at)) above.push(at);
	return above;
}
