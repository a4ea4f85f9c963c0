/** From the paths that somebody gave to the roots of an archive. */
import fs from 'node:fs';
import path from 'node:path';
import { BackupError } from '../../base/errors';
import type { Root } from './archive/messages.ts';
import { fromText, sortKey } from './names.ts';

/** @throws BackupError where a path may not be archived */
export type AssertAllowed = (path: string, real: string) => void;

/**
 * Checks paths, resolves their links, and puts them into the order of an archive. One that lies in another is part of that one.
 * @param assertAllowed called with each path, and with where its links lead
 * @throws BackupError 'invalid-input', 'source-missing'; those of `assertAllowed`
 */
export function resolveRoots(paths: readonly string[], assertAllowed: AssertAllowed = () => undefined): Root[] {
	if (paths.length === 0) {
		throw new BackupError('invalid-input', 'no path given', { hint: 'Name at least one folder or file to archive.' });
	}
	const roots = sortRoots(paths.map((each) => resolveRoot(each, assertAllowed)));
	return roots.filter((root, at) => {
		return !roots.some((other, place) => {
			const isSame = other.path === root.path;
			return isSame ? place < at : `${root.path}/`.startsWith(`${other.path}/`);
		});
	});
}

/** Puts roots into the order of an archive. */
export function sortRoots(roots: readonly Root[]): Root[] {
	const keyed = roots.map((root) => ({ root, key: keyOf(root) }));
	return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ root }) => root);
}

function resolveRoot(given: string, assertAllowed: AssertAllowed): Root {
	if (!path.isAbsolute(given) || given.includes('\0')) {
		throw new BackupError('invalid-input', `"${given}" is not an absolute path`, {
			hint: 'Write it from the root on, e.g. /srv/www.',
		});
	}
	const clean = path.resolve(given);
	if (clean === '/') {
		throw new BackupError('invalid-input', 'the whole file system cannot be archived', {
			hint: 'Name the folders that are needed: /proc, /sys and /dev hold nothing to back up.',
		});
	}
	const real = realPathOf(clean, assertAllowed);
	assertAllowed(clean, real);
	return { path: fromText(clean.slice(1)), real: fromText(real) };
}

function realPathOf(clean: string, assertAllowed: AssertAllowed): string {
	try {
		return fs.realpathSync(clean);
	} catch (error) {
		// Whether it exists is nothing to tell of a place that is not allowed.
		assertAllowed(clean, clean);
		const { code } = error as NodeJS.ErrnoException;
		const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
		throw new BackupError(
			isMissing ? 'source-missing' : 'access-denied',
			`${clean} ${isMissing ? 'is not there' : `cannot be read: ${code}`}`,
			{
				hint: isMissing
					? 'Is the disk mounted, and is the path right as n8n sees it? In a container, the folder must be mounted into it.'
					: 'Allow the user that runs n8n to read it.',
				cause: error,
			},
		);
	}
}

function keyOf({ path: root, real }: Root): string {
	return sortKey(root, fs.lstatSync(Buffer.from(real, 'latin1')).isDirectory());
}
