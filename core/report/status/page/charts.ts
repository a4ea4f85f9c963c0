/** Small drawings in SVG, each with words for who cannot see it. */
import type { DayCell } from '../days';
import { html, type Html } from './html';

/** A line through some values, oldest first; nothing for fewer than two. @param says the same in words */
export function trend(values: readonly number[], says: string): Html | null {
	if (values.length < 2) return null;
	const [width, height, most] = [200, 40, Math.max(...values, 1e-9)];
	const x = (at: number) => ((at / (values.length - 1)) * width).toFixed(1);
	const y = (value: number) => (height - 2 - (value / most) * (height - 6)).toFixed(1);
	const points = values.map((value, at) => `${x(at)},${y(value)}`).join(' ');
	const last = values.at(-1)!;
	return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${says}" preserveAspectRatio="none">
		<polyline points="0,${height} ${points} ${width},${height}" fill="var(--empty)" stroke="none" />
		<polyline
			points="${points}"
			fill="none"
			stroke="var(--accent)"
			stroke-width="1.5"
			vector-effect="non-scaling-stroke"
		/>
		<circle cx="${x(values.length - 1)}" cy="${y(last)}" r="2.5" fill="var(--accent)" />
	</svg>`;
}

/** A square for each day; a failed one is crossed out, so that color alone says nothing. */
export function calendar(days: readonly DayCell[], says: string): Html | null {
	if (days.length === 0) return null;
	const [size, step] = [14, 18];
	const cells = days.map((cell, at) => {
		const isBad = cell.bad + cell.failed > 0;
		const state = isBad ? 'b' : cell.backups > 0 ? 'g' : 'n';
		const x = at * step;
		return html`<rect class="${state}" x="${x}"><title>${titleOf(cell)}</title></rect>${isBad &&
			html`<path d="M${x + 4} 4l6 6m0-6l-6 6" />`}`;
	});
	const width = days.length * step - (step - size);
	return html`<svg class="days" viewBox="0 0 ${width} ${size}" role="img" aria-label="${says}">${cells}</svg>`;
}

function titleOf({ day, backups, bad, failed }: DayCell): string {
	const parts = [
		`${backups} backup${backups === 1 ? '' : 's'}`,
		...(bad > 0 ? [`${bad} bad`] : []),
		...(failed > 0 ? [`${failed} failed`] : []),
	];
	return `${day}: ${parts.join(', ')}`;
}

/** How far something is, or how full. @param share 0 to 1 */
export function bar(share: number, says: string, verdict = ''): Html {
	const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
	return html`<div class="bar ${verdict}" role="img" aria-label="${says}"><i style="width:${percent}%"></i></div>`;
}
