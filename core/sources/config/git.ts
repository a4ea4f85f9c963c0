/** The state of the git repositories that hold configuration, read from their files: no git is run, so no hook and no filter of theirs either. */
import fs from 'node:fs';
import path from 'node:path';
import git from 'isomorphic-git';

/** The state of a git repository. */
export interface GitState {
	/** The folder that holds its `.git`. */
	folder: string;
	/** Forty hex digits; null before the first commit, and where it cannot be read. */
	commit: string | null;
	/** Null where none is checked out. */
	branch: string | null;
	/** Whether files are changed, added or removed since that commit; null where it is too large to look, or of a format that is not known. */
	dirty: boolean | null;
}

/** All of its packs are read into memory. */
const MAX_PACK_BYTES = 64 * 1024 * 1024;
/** Entries of an index: each file of a working tree is looked at. */
const MAX_FILES = 20_000;

/**
 * The state of the repository of a working tree.
 * @param folder its `.git` is read
 */
export async function gitStateOf(folder: string): Promise<GitState> {
	const where = { fs, dir: folder };
	const commit = await git.resolveRef({ ...where, ref: 'HEAD' }).catch(() => null);
	const branch = await git.currentBranch(where).catch(() => undefined);
	return { folder, commit, branch: branch ?? null, dirty: commit === null ? null : await isDirty(folder) };
}

/**
 * The nearest folder above a file that holds a `.git` of its own; null where none does. One that leads elsewhere, as of a worktree or a
 * submodule, is not followed.
 * @param roots folders above them are not looked at
 */
export function repositoryOf(file: string, roots: readonly string[]): string | null {
	for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
		if (!roots.some((root) => folder === root || folder.startsWith(`${root}/`))) return null;
		if (fs.lstatSync(path.join(folder, '.git'), { throwIfNoEntry: false })?.isDirectory()) return folder;
	}
}

async function isDirty(folder: string): Promise<boolean | null> {
	try {
		if (isTooLarge(path.join(folder, '.git'))) return null;
		const rows = await git.statusMatrix({ fs, dir: folder });
		// Columns: file, in the commit, in the working tree, in the index. 1 everywhere is a file that is as it was.
		return rows.some(([, head, workdir, stage]) => head !== 1 || workdir !== 1 || stage !== 1);
	} catch {
		return null;
	}
}

function isTooLarge(folder: string): boolean {
	const index = path.join(folder, 'index');
	const packs = path.join(folder, 'objects', 'pack');
	const names = fs.existsSync(packs) ? fs.readdirSync(packs) : [];
	const bytes = names.reduce((sum, name) => sum + (fs.statSync(path.join(packs, name)).size ?? 0), 0);
	// An entry of an index takes 62 bytes and its name.
	return bytes > MAX_PACK_BYTES || (fs.existsSync(index) && fs.statSync(index).size > MAX_FILES * 100);
}
