/** The offsets of one time zone, asked of Intl once per day and not once per backup: an answer of Intl takes microseconds. */

/** A stretch of time with one offset. Milliseconds; `to` is no longer part of it. */
export interface Stretch {
	from: number;
	to: number;
	/** What has to be added to UTC for the time on the wall. */
	offset: number;
}

const DAY = 24 * 3_600_000;
/** "GMT", "GMT+05:30"; seconds occur before zones were introduced. */
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

/** Assumes that no zone changes its offset there and back within one UTC day: none ever did. */
export class Zone {
	readonly #format: Intl.DateTimeFormat;
	readonly #days = new Map<number, Stretch[]>();
	#last: Stretch = { from: 0, to: 0, offset: 0 };

	/** @param name that Intl knows */
	constructor(name: string) {
		this.#format = new Intl.DateTimeFormat('en', { timeZone: name, timeZoneName: 'longOffset' });
	}

	/** The stretch around a time, within that time's UTC day. */
	stretchAt(time: number): Stretch {
		if (time >= this.#last.from && time < this.#last.to) return this.#last;
		const day = Math.floor(time / DAY);
		let stretches = this.#days.get(day);
		if (!stretches) this.#days.set(day, (stretches = this.#split(day * DAY, (day + 1) * DAY)));
		return (this.#last = stretches.find(({ to }) => time < to)!);
	}

	/** The time on the wall, as if it were UTC. */
	toLocal(time: number): number {
		return time + this.stretchAt(time).offset;
	}

	/** The first time, not before another one, at which the wall shows at least this. Right in nights that skip or repeat it. */
	firstReaching(local: number, notBefore: number): number {
		for (let time = Math.max(notBefore, local - 2 * DAY); ; ) {
			const { to, offset } = this.stretchAt(time);
			const reached = Math.max(time, local - offset);
			if (reached < to) return reached;
			time = to;
		}
	}

	#split(from: number, to: number): Stretch[] {
		const offset = this.#ask(from);
		if (this.#ask(to) === offset) return [{ from, to, offset }];
		let same = from;
		let other = to;
		while (other - same > 1) {
			const middle = Math.floor((same + other) / 2);
			if (this.#ask(middle) === offset) same = middle;
			else other = middle;
		}
		return [{ from, to: other, offset }, ...(other < to ? this.#split(other, to) : [])];
	}

	#ask(time: number): number {
		const [, sign, hours = '0', minutes = '0', seconds = '0'] = OFFSET.exec(this.#format.format(time)) ?? [];
		const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
		return sign === '-' ? -size : size;
	}
}
