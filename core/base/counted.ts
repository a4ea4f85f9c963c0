/** "1 table", "20,000 rows", "3 entries". @param what one of them */
export function counted(count: number, what: string): string {
	const words = count === 1 ? what : what.endsWith('y') ? `${what.slice(0, -1)}ies` : `${what}s`;
	return `${count.toLocaleString('en')} ${words}`;
}
