/** The figures as Markdown: one table per destination, and what had been aimed at. */
import { BASELINE, type Contender, type ContenderName } from './contenders.ts';
import { median, mega, ratio, type Run, type Runs } from './comparison.ts';

export interface Results {
	/** `name` stands in front of each aim. */
	destination: { name: string; title: string };
	/** Of the plain dump. */
	bytes: number;
	runs: Runs;
	/** Our runs with a database that is several times larger. */
	larger?: Runs;
}

const HEAD = [
	['', 'wall time', '×', 'CPU time', '×', 'peak memory', '×', 'stored', '×', 'event loop p99 (max)'],
	['---', '---:', '---:', '---:', '---:', '---:', '---:', '---:', '---:', '---:'],
];

export function comparisonTable({ destination, bytes, runs }: Results, contenders: readonly Contender[]): string {
	const rows = contenders.map(({ name, title }) => {
		const all = runs.get(name) ?? [];
		const middle = (value: (run: Run) => number) => median(all.map(value));
		const times = (value: (run: Run) => number) => format(ratio(runs, name, value));
		const walls = all.map(({ wall }) => wall);
		const seconds = middle(({ wall }) => wall);
		return [
			title,
			`${seconds.toFixed(1)} s (${Math.min(...walls).toFixed(1)}–${Math.max(...walls).toFixed(1)}), ${mega(bytes / seconds)} MB/s`,
			times(({ wall }) => wall),
			`${middle(({ cpu }) => cpu).toFixed(1)} s`,
			times(({ cpu }) => cpu),
			`${mega(middle(({ memory }) => memory))} MB`,
			times(({ memory }) => memory),
			`${mega(middle(({ stored }) => stored))} MB`,
			times(({ stored }) => stored),
			eventLoop(all),
		];
	});
	return `### ${destination.title}\n\n${markdown([...HEAD, ...rows])}`;
}

/** "31 ms (95 ms)": how late the event loop was, p99 and at most; empty for programs without one. */
export function eventLoop(runs: ReadonlyArray<Pick<Run, 'eventLoop'>>): string {
	const delays = runs.flatMap(({ eventLoop: delay }) => delay ?? []);
	if (delays.length === 0) return '';
	return `${median(delays.map(({ p99 }) => p99)).toFixed(0)} ms (${Math.max(...delays.map(({ max }) => max)).toFixed(0)} ms)`;
}

const LIMIT_MEMORY = 300e6;

/** What the built-in and the native engine are to reach, and whether they do. */
export function targetsTable(results: readonly Results[]): string {
	const rows = results.flatMap(({ destination, runs, larger }) => {
		const wall = ({ wall: seconds }: Run) => seconds;
		const engines = (['builtin', 'native'] as const).filter((name) => runs.get(name)?.length);
		const slower = (name: ContenderName, limit: number) =>
			aimRow(`${name}: wall time of \`zstd \\| age\``, ratio(runs, name, wall), limit, 'at most', '×');
		const faster = (name: ContenderName, than: ContenderName, label: string, limit: number) =>
			aimRow(`${name}: faster than ${label}`, inverse(ratio(runs, name, wall, than)), limit, 'at least', '×');
		const peak = (all: Runs, name: ContenderName) => median((all.get(name) ?? []).map(({ memory }) => memory));
		const p99 = (name: ContenderName) =>
			median((runs.get(name) ?? []).map(({ eventLoop: delay }) => delay?.p99 ?? NaN));
		return engines
			.flatMap((name) => [
				slower(name, name === 'builtin' ? 1.25 : 1.05),
				faster(name, 'restic', 'restic', 1.5),
				faster(name, 'gzip', 'gzip + openssl', 2.5),
				aimRow(`${name}: peak memory`, peak(runs, name) / 1e6, LIMIT_MEMORY / 1e6, 'at most', ' MB'),
				aimRow(
					`${name}: peak memory with the larger database`,
					larger ? peak(larger, name) / peak(runs, name) : null,
					1.1,
					'at most',
					'×',
				),
				aimRow(`${name}: event loop delay, p99`, p99(name), 50, 'at most', ' ms'),
			])
			.map((cells) => [destination.name, ...cells]);
	});
	return markdown([['into', 'aim', 'limit', 'measured', ''], ['---', '---', '---:', '---:', '---'], ...rows]);
}

/** One aim, one line: name, limit, what was measured, whether that reaches it. Nothing measured is said as such. */
export function aimRow(
	aim: string,
	measured: number | null,
	limit: number,
	sense: 'at most' | 'at least',
	unit: string,
): string[] {
	if (measured === null) return [aim, `${sense} ${limit}${unit}`, 'not measured', ''];
	const isReached = sense === 'at most' ? measured <= limit : measured >= limit;
	const missedBy = `missed by ${(Math.abs(measured / limit - 1) * 100).toFixed(0)} %`;
	return [aim, `${sense} ${limit}${unit}`, `${format(measured)}${unit}`, isReached ? 'reached' : missedBy];
}

function inverse(value: number | null): number | null {
	return value === null ? null : 1 / value;
}

function format(value: number | null): string {
	if (value === null) return '';
	return value >= 20 ? value.toFixed(0) : value.toFixed(2);
}

/** The first rows are the head and its line. */
export function markdown(rows: readonly string[][]): string {
	return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Names what the ratios refer to. */
export const EXPLANATION =
	`× is the ratio to the ${BASELINE} pipeline of the same round; of several rounds, all figures are medians. CPU time and peak memory ` +
	'(the sum of the peaks of all processes) are those of the pipeline, without the servers, which share the same cores.';
