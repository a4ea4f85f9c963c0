/** From an error of a thread that reads or writes files to what is told of it. */
import { Fault } from './fault.ts';

/**
 * Makes a `Fault` of whatever was thrown.
 * @param done what happens to files here: "archived", "restored"
 */
export function faultOf(error: unknown, done: 'archived' | 'restored'): Fault {
	if (error instanceof Fault) return error;
	const { code, syscall, message } = error as NodeJS.ErrnoException;
	if (code === 'ENOSPC' || code === 'EDQUOT') {
		const where = done === 'archived' ? 'for temporary files' : 'for the files';
		const hint =
			done === 'archived'
				? 'Free space, or set TMPDIR to a folder that has some.'
				: 'Free space, or restore to another disk.';
		return new Fault('storage-full', `there is no space ${where}`, hint);
	}
	if (code === 'EFBIG') {
		return new Fault(
			'unsupported',
			`a file is larger than the file system takes`,
			'Restore to another disk, or leave the file out.',
		);
	}
	if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
		return new Fault(
			'access-denied',
			`the files could not be ${done}: ${syscall} was refused (${code})`,
			'Allow the user that runs this program to do it.',
		);
	}
	return new Fault(
		'storage-failed',
		`the files could not be ${done}: ${code && syscall ? `${syscall} failed (${code})` : message}`,
	);
}
