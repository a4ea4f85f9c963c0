/** What a backup is good for, by us and by the programs that a user would type instead: restoring it, and verifying it. */
import { median, mega } from './comparison.ts';
import { type CommandOptions, measure, type Measurement, output } from './measure.ts';

/** One task, done in two ways. */
export interface Duel {
	readonly name: string;
	readonly ours: Side;
	readonly theirs: Side;
	/** What must be done before either of them. */
	readonly prepare?: () => Promise<unknown>;
	/** Checks, after either of them in the first round, that the task was done. @throws Error */
	readonly check?: () => Promise<void>;
}

export interface Side {
	/** For people. */
	readonly title: string;
	/** Shell. */
	readonly command: string;
	/** Seconds of the task itself, read from what the command wrote to stdout; default: those of the whole command. */
	readonly seconds?: (stdout: string) => number;
}

export interface Result {
	readonly duel: Duel;
	readonly ours: readonly Measurement[];
	readonly theirs: readonly Measurement[];
}

export interface DuelOptions extends CommandOptions {
	rounds: number;
	/** For files of the measurement. */
	folder: string;
	say: (text: string) => void;
}

/** Both sides in turns, because a machine is never as fast twice; who comes first in one round comes second in the next. */
export async function fight(duel: Duel, { rounds, folder, say, ...how }: DuelOptions): Promise<Result> {
	const runs = { ours: [] as Measurement[], theirs: [] as Measurement[] };
	for (let round = 0; round < rounds; round++) {
		for (const who of round % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)) {
			await duel.prepare?.();
			// What earlier runs left to be written to disk would otherwise be written now.
			await output('sync', how);
			const run = await measure(duel[who].command, folder, how);
			runs[who].push({ ...run, wall: duel[who].seconds?.(run.stdout) ?? run.wall });
			say(
				`${duel.name}, round ${round + 1}: ${who} ${runs[who].at(-1)!.wall.toFixed(2)} s of ${run.wall.toFixed(2)} s, ` +
					`${run.cpu.toFixed(1)} s CPU, ${mega(run.memory)} MB memory`,
			);
			if (round === 0) await duel.check?.();
		}
	}
	return { duel, ...runs };
}

/** Of the ratios within each round, ours to theirs, the one in the middle. */
export function ratioOf({ ours, theirs }: Result, value: (run: Measurement) => number): number {
	return median(ours.map((run, round) => value(run) / value(theirs[round]!)));
}
