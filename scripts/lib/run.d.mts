/**
 * Runs a program to its end.
 * @returns what it wrote to stdout, with `quiet`; without, its output is shown
 * @throws Error with the end of its output when it fails
 */
export function run(
	program: string,
	args: string[],
	options?: { cwd?: string; env?: NodeJS.ProcessEnv; quiet?: boolean },
): Promise<string>;

/** Runs a program with its output shown. @returns its exit code; 1 when a signal ended it */
export function exitCode(
	program: string,
	args: string[],
	options?: { cwd?: string; env?: NodeJS.ProcessEnv; quiet?: boolean },
): Promise<number>;
