/** Times and sizes as the page writes them. */
import { sizeText } from '../../../base/size-text';
import { spanText } from '../ages';

/** How a page writes things. */
export class Words {
	readonly #format: Intl.DateTimeFormat;

	/** @param timeZone a name that Intl knows */
	constructor(
		readonly now: Date,
		readonly timeZone: string,
	) {
		this.#format = new Intl.DateTimeFormat('en-GB', {
			...{ timeZone, weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
		});
	}

	/** "Fri 27 Nov, 02:30"; the page says once of which time zone. @param time milliseconds */
	time(time: number): string {
		return this.#format.format(time);
	}

	/** "3 hours ago, Fri 27 Nov, 02:30" */
	ago(time: number): string {
		return `${this.age(time)} ago, ${this.time(time)}`;
	}

	/** "3 hours" */
	age(time: number): string {
		return spanText(this.now.getTime() - time);
	}

	/** "12.4 MB" */
	size(bytes: number): string {
		return sizeText(bytes);
	}

	/** "4.2 seconds", "3 minutes" */
	span(seconds: number): string {
		return seconds < 10 ? `${seconds.toFixed(1)} seconds` : spanText(seconds * 1000);
	}
}
