/**
 * Hours, days, weeks, months and years of a time zone. A period has a number: within a tier, equal numbers are the same
 * period. Times are milliseconds since 1970 UTC.
 *
 * An hour is one on the wall with one offset. Where clocks are set back by an hour, the hour that comes twice is two; where
 * they are set back by half an hour, so is the one of which a half comes twice. A day of such a night is one day.
 */
import type { Tier } from './rules';
import { Zone } from './zone';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** After it, labels cannot tell the time any more. */
const END_OF_TIME = Date.UTC(9999, 0, 1);

export class Calendar {
	readonly #zone: Zone;

	/** @param timeZone that Intl knows */
	constructor(readonly timeZone: string) {
		this.#zone = new Zone(timeZone);
	}

	/** The period that a time lies in. */
	periodOf(tier: Tier, time: number): number {
		const local = this.#zone.toLocal(time);
		switch (tier) {
			case 'hourly':
				return time - modulo(local, HOUR);
			case 'daily':
				return Math.floor(local / DAY);
			case 'weekly':
				return weekOf(Math.floor(local / DAY));
			case 'monthly':
				return monthOf(local);
			case 'yearly':
				return new Date(local).getUTCFullYear();
		}
	}

	/** When the next period begins after the one that a time lies in; infinite after the year 9998. */
	nextStart(tier: Tier, time: number): number {
		if (time >= END_OF_TIME) return Infinity;
		if (tier === 'hourly') return this.#nextHour(time);
		return this.#zone.firstReaching(startOfLocal(tier, this.periodOf(tier, time) + 1), time);
	}

	/** The name of the period that a time lies in: `2026-11-19 14:00 UTC`, `2026-11-19`, `2026-W47`, `2026-11`, `2026`. */
	nameOf(tier: Tier, time: number): string {
		const { offset } = this.#zone.stretchAt(time);
		const local = new Date(time + offset).toISOString();
		switch (tier) {
			case 'hourly':
				// Without the offset, the two hours of a night in autumn would have one name.
				return `${local.slice(0, 10)} ${local.slice(11, 13)}:00${this.timeZone === 'UTC' ? ' UTC' : ` ${offsetText(offset)}`}`;
			case 'daily':
				return local.slice(0, 10);
			case 'weekly':
				return weekName(this.periodOf(tier, time));
			case 'monthly':
				return local.slice(0, 7);
			case 'yearly':
				return local.slice(0, 4);
		}
	}

	#nextHour(time: number): number {
		const hour = this.periodOf('hourly', time);
		for (let at = time; ; ) {
			const { to } = this.#zone.stretchAt(at);
			if (hour + HOUR <= to) return hour + HOUR;
			if (this.periodOf('hourly', to) !== hour) return to;
			at = to;
		}
	}
}

/** Days are counted from 1970-01-01, a Thursday; weeks from the Monday before. */
function weekOf(day: number): number {
	return Math.floor((day + 3) / 7);
}

/** By ISO 8601 a week belongs to the year that its Thursday is in. */
function weekName(week: number): string {
	const thursday = new Date(week * 7 * DAY);
	const year = thursday.getUTCFullYear();
	const first = new Date(0);
	first.setUTCFullYear(year, 0, 1);
	const number = Math.floor((thursday.getTime() - first.getTime()) / DAY / 7) + 1;
	return `${String(year).padStart(4, '0')}-W${String(number).padStart(2, '0')}`;
}

function monthOf(local: number): number {
	const date = new Date(local);
	return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function startOfLocal(tier: Exclude<Tier, 'hourly'>, period: number): number {
	switch (tier) {
		case 'daily':
			return period * DAY;
		case 'weekly':
			return (period * 7 - 3) * DAY;
		case 'monthly':
			return new Date(0).setUTCFullYear(Math.floor(period / 12), modulo(period, 12), 1);
		case 'yearly':
			return new Date(0).setUTCFullYear(period, 0, 1);
	}
}

function offsetText(offset: number): string {
	const minutes = Math.abs(Math.trunc(offset / 60_000));
	const two = (part: number) => String(part).padStart(2, '0');
	return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function modulo(value: number, by: number): number {
	return ((value % by) + by) % by;
}
