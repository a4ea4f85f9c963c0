/** From an error of a thread that reads or writes files to what is told of it. */
import { Fault } from './fault.ts';
import { type Bytes, toDisplay } from './names.ts';

/** Does something for the entry of a path. What fails then says which one it was. */
export function namingPath<T>(path: Bytes, work: () => T): T {
	try {
		return work();
	} catch (error) {
		if (!(error instanceof Fault)) (error as { entry?: string }).entry ??= toDisplay(path);
		throw error;
	}
}

/**
 * Makes a `Fault` of whatever was thrown.
 * @param done what happens to files here: "archived", "restored"
 * @param into where they are restored, for people; absent where only temporary files are written
 */
export function faultOf(error: unknown, done: 'archived' | 'restored', into?: string): Fault {
	if (error instanceof Fault) return error;
	const { code, syscall, message, entry } = error as NodeJS.ErrnoException & { entry?: string };
	if (isFull(error)) return into === undefined ? noTemporarySpace() : noSpace(into);
	if (into !== undefined && (code === 'EFBIG' || code === 'ENAMETOOLONG')) {
		const why = code === 'EFBIG' ? 'is larger' : 'has a longer name';
		return new Fault(
			'unsupported',
			`${entry ?? 'a file'} ${why} than the file system takes`,
			'Restore to another disk, or leave it out.',
		);
	}
	const where = `${into === undefined ? '' : ` into ${into}`}${entry === undefined ? '' : `: ${entry}`}`;
	if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
		return new Fault(
			'access-denied',
			`the files could not be ${done}${where}: ${syscall} was refused (${code})`,
			'Allow the user that runs this program to do it.',
		);
	}
	return new Fault(
		'storage-failed',
		`the files could not be ${done}${where}: ${code && syscall ? `${syscall} failed (${code})` : message}`,
		'The log of the system may say more: of a disk, or of the server behind a mount.',
	);
}

function noSpace(into: string): Fault {
	return new Fault(
		'storage-full',
		`there is no space for the files in ${into}`,
		'Free space, or restore to another disk.',
	);
}

/** There is no space for what a run notes meanwhile. */
export function noTemporarySpace(): Fault {
	return new Fault(
		'storage-full',
		'there is no space for temporary files',
		'Free space, or set TMPDIR to a folder that has some.',
	);
}

/**
 * Writes a temporary file.
 * @throws Fault 'storage-full' where there is no space: it is another place than the one that is restored into
 */
export function writingTemporary<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		throw isFull(error) ? noTemporarySpace() : error;
	}
}

/** Whether a disk has no space, or a user may take no more of it. */
export function isFull(error: unknown): boolean {
	return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code!);
}
