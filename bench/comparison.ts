/** The runs of all contenders into one destination, in turns, because a machine is never as fast twice. */
import { BASELINE, type Contender, type ContenderName } from './contenders.ts';
import type { Destination } from './destinations.ts';
import { type CommandOptions, measure, type Measurement, output } from './measure.ts';

/** One backup by one contender. */
export interface Run extends Measurement {
	/** Bytes in storage. */
	stored: number;
}

export type Runs = Map<ContenderName, Run[]>;

export interface ComparisonOptions extends CommandOptions {
	runs: number;
	/** Digest of the rows, as {@link rowsDigest} makes it, of the database itself. */
	rows: string;
	/** For files of the measurement. */
	folder: string;
	say: (text: string) => void;
}

/**
 * Lets every contender make `runs` backups. The first one of each is opened again, and compared with the database: nobody
 * is fast by storing less.
 * @throws Error when a command fails, or a backup is not whole
 */
export async function compare(
	contenders: readonly Contender[],
	destination: Destination,
	options: ComparisonOptions,
): Promise<Runs> {
	const { runs, say, rows, folder, signal } = options;
	const how = { env: { ...options.env, ...destination.env }, signal };
	const result: Runs = new Map(contenders.map(({ name }) => [name, []]));
	for (let round = 0; round < runs; round++) {
		// Whoever comes first in one round comes last in the next.
		const first = round % contenders.length;
		for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
			await destination.clear();
			if (contender.prepare) await output(contender.prepare(destination), how);
			const empty = await destination.size();
			// What earlier runs left to be written to disk would otherwise be written now.
			await output('sync', how);
			const measured = await measure(contender.backUp(destination), folder, how);
			const run = { ...measured, stored: (await destination.size()) - empty };
			result.get(contender.name)?.push(run);
			say(
				`${destination.name}, round ${round + 1}: ${contender.name} ${run.wall.toFixed(1)} s, ` +
					`${run.cpu.toFixed(1)} s CPU, ${mega(run.memory)} MB memory, ${mega(run.stored)} MB stored`,
			);
			if (round > 0) continue;
			if ((await rowsDigest(contender.open(destination), how)) !== rows) {
				throw new Error(`what ${contender.name} stored is not the whole database`);
			}
		}
	}
	await destination.clear();
	return result;
}

/**
 * What any whole dump of the same rows has in common, whichever pg_dump made it: the COPY blocks, and the closing comment.
 * @param dump shell: writes a plain dump
 * @param order of the rows: `any` for a database that was restored, where a later, smaller row may fill the rest of a page
 * @throws Error when the command fails
 */
export async function rowsDigest(
	dump: string,
	options: CommandOptions,
	order: 'as dumped' | 'any' = 'as dumped',
): Promise<string> {
	const parts = String.raw`sed -n -e '/^COPY /,/^\\\.$/p' -e '/^-- PostgreSQL database dump complete/p'`;
	const sorted = order === 'any' ? '| LC_ALL=C sort -S 2G' : '';
	return await output(`${dump} | ${parts} ${sorted} | sha256sum`, options);
}

/** Of the ratios within each round, the one in the middle. */
export function ratio(
	runs: Runs,
	contender: ContenderName,
	value: (run: Run) => number,
	to: ContenderName = BASELINE,
): number | null {
	const others = runs.get(to);
	if (!others?.length) return null;
	return median((runs.get(contender) ?? []).map((run, round) => value(run) / value(others[round]!)));
}

export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length / 2;
	return sorted.length % 2 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Millions, rounded: bytes in MB. */
export function mega(bytes: number): string {
	return (bytes / 1e6).toFixed(0);
}
