/**
 * What comes if backups go on: one at the start of each coming period of the policy's finest tier, all of them good. How
 * long a backup is kept depends on it, since places are counted in backups and not in time.
 */
import type { Calendar } from './calendar';
import { type CompletePolicy, type Tier, TIERS } from './rules';

export class Pace {
	/** The finest tier of the policy; null when it has none, and then nothing is known of what comes. */
	readonly finest: Tier | null;
	readonly #arrivals: number[] = [];
	/** For each tier, when its periods after the one of now get their first backup. */
	readonly #fills = new Map<Tier, number[]>();

	constructor(
		private readonly calendar: Calendar,
		policy: CompletePolicy,
		readonly now: number,
	) {
		this.finest = TIERS.find((tier) => policy[tier] > 0) ?? null;
	}

	/** When the next backup comes, the one after it, and so on: from 1. Infinite when that is not known. */
	arrival(number: number): number {
		const { finest, calendar, now } = this;
		if (!finest) return Infinity;
		while (this.#arrivals.length < number) {
			this.#arrivals.push(calendar.nextStart(finest, this.#arrivals.at(-1) ?? now));
		}
		return this.#arrivals[number - 1]!;
	}

	/**
	 * When the first new period of a tier gets a backup, the second one, and so on: from 1.
	 * @param begun whether the period of now has one already, and so is not new
	 */
	fill(tier: Tier, number: number, begun: boolean): number {
		const next = this.arrival(1);
		if (!begun && this.#isPresent(tier, next)) return number === 1 ? next : this.#laterFill(tier, number - 1);
		return this.#laterFill(tier, number);
	}

	#isPresent(tier: Tier, time: number): boolean {
		return time < Infinity && this.calendar.periodOf(tier, time) === this.calendar.periodOf(tier, this.now);
	}

	#laterFill(tier: Tier, number: number): number {
		let fills = this.#fills.get(tier);
		if (!fills) this.#fills.set(tier, (fills = []));
		while (fills.length < number) {
			const start = this.calendar.nextStart(tier, fills.at(-1) ?? this.now);
			// Most periods begin together with one of the finest tier; a month does not begin with a week.
			fills.push(start === Infinity ? start : this.calendar.nextStart(this.finest!, start - 1));
		}
		return fills[number - 1]!;
	}
}
