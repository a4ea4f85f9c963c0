/** What is usual for a group, from its own past: never a fixed number. */

/** So few values say nothing about what is usual. */
const LEAST = 5;
/** Of a normal distribution, the standard deviation is this many times the median absolute deviation. */
const MAD_TO_SIGMA = 1.4826;
const MOST_SIGMAS = 3;

/** The middle of some values; null where there are none. */
export function median(values: readonly number[]): number | null {
	if (values.length === 0) return null;
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How a value compares with those before it. */
export interface Unusual {
	/** Of the usual value: 0.1 for a tenth. */
	ratio: number;
	/** The median of those before. */
	usual: number;
	/** At most a tenth, or at least ten times. */
	extreme: boolean;
}

/**
 * Whether a value is at most half of what is usual, or at least twice as much, and no more than what varies anyway.
 * @param before values of the past, in any order
 * @returns null where it is as usual, or nobody can say
 */
export function unusual(value: number, before: readonly number[]): Unusual | null {
	const usual = median(before);
	if (before.length < LEAST || usual === null || usual <= 0) return null;
	const ratio = value / usual;
	if (ratio > 0.5 && ratio < 2) return null;
	const extreme = ratio <= 0.1 || ratio >= 10;
	const spread = median(before.map((each) => Math.abs(each - usual)))! * MAD_TO_SIGMA;
	return extreme || Math.abs(value - usual) > MOST_SIGMAS * spread ? { ratio, usual, extreme } : null;
}

/**
 * How much a sum grows per day, by the median of the growth between all pairs of days (Theil and Sen): a single large backup does not tilt it.
 * @param points sum by day, day as a number
 * @returns null for fewer than seven days
 */
export function growthPerDay(points: ReadonlyArray<readonly [day: number, sum: number]>): number | null {
	if (points.length < 7) return null;
	const slopes: number[] = [];
	for (const [i, [day, sum]] of points.entries()) {
		for (const [otherDay, otherSum] of points.slice(i + 1)) slopes.push((otherSum - sum) / (otherDay - day));
	}
	return median(slopes);
}
