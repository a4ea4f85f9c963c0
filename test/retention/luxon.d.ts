/** The part of luxon that tests ask as an oracle. It comes with n8n's packages, its types do not. */
declare module 'luxon' {
	export class DateTime {
		static fromMillis(time: number, options: { zone: string }): DateTime;
		readonly offset: number;
		readonly weekYear: number;
		readonly weekNumber: number;
		toFormat(format: string): string;
		startOf(unit: 'day' | 'week' | 'month' | 'year'): DateTime;
		plus(duration: Record<string, number>): DateTime;
		toMillis(): number;
	}
}
