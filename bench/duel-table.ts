/** The figures of duels as Markdown, and what had been aimed at. */
import { median, mega } from './comparison.ts';
import { ratioOf, type Result } from './duels.ts';
import type { Measurement } from './measure.ts';
import { aimRow, eventLoop, markdown } from './table.ts';

const HEAD = [
	['', 'wall time', '×', 'CPU time', '×', 'peak memory', '×', 'event loop p99 (max)'],
	['---', '---:', '---:', '---:', '---:', '---:', '---:', '---:'],
];

const wall = (run: Measurement) => run.wall;
const cpu = (run: Measurement) => run.cpu;
const memory = (run: Measurement) => run.memory;

export function duelTable(results: readonly Result[]): string {
	return markdown([
		...HEAD,
		...results.flatMap((result) => [
			line(
				result.duel.ours.title,
				result.ours,
				[wall, cpu, memory].map((value) => times(ratioOf(result, value))),
			),
			line(result.duel.theirs.title, result.theirs, ['1.00', '1.00', '1.00']),
		]),
	]);
}

/** Nothing, where the other side took too little to be seen. */
function times(ratio: number): string {
	return Number.isFinite(ratio) ? ratio.toFixed(2) : '';
}

function line(title: string, runs: readonly Measurement[], [walls, cpus, memories]: string[]): string[] {
	const middle = (value: (run: Measurement) => number) => median(runs.map(value));
	const all = runs.map(wall);
	return [
		title,
		`${middle(wall).toFixed(2)} s (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`,
		walls!,
		`${middle(cpu).toFixed(1)} s`,
		cpus!,
		`${mega(middle(memory))} MB`,
		memories!,
		eventLoop(runs),
	];
}

/** What each task is to reach, and whether it does. */
export function duelAims(results: readonly Result[]): string {
	const rows = results.flatMap((result) => {
		const slower = ratioOf(result, wall);
		switch (result.duel.name) {
			case 'restore':
				return [
					aimRow('restore: wall time of the pipe into psql', slower, 1.25, 'at most', '×'),
					aimRow('restore: peak memory', median(result.ours.map(memory)) / 1e6, 300, 'at most', ' MB'),
				];
			case 'stored':
				return [aimRow('*stored*: speed of `sha256sum`', 1 / slower, 0.8, 'at least', '×')];
			default:
				return [aimRow('*readable*: speed of the pipe', 1 / slower, 0.9, 'at least', '×')];
		}
	});
	return markdown([['aim', 'limit', 'measured', ''], ['---', '---:', '---:', '---'], ...rows]);
}
