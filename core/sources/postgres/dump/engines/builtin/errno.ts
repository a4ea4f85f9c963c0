/** How the host answers the program: error numbers as WASI counts them, and the two ways to leave a C function at once. */

export const errno = {
	again: 6,
	badDescriptor: 8,
	invalid: 28,
	noEntry: 44,
	notImplemented: 52,
	notTerminal: 59,
	illegalSeek: 70,
} as const;

/** The program called exit(). Not a failure by itself. */
export class ProgramExit extends Error {
	readonly code: number;

	constructor(code: number) {
		super(`exit ${code}`);
		this.code = code;
	}
}

/** The program called longjmp(): unwinds to the nearest `invoke_…`. */
export class LongJump extends Error {}
