/** Made-up text like that of a plain dump, for benchmarks that need no database. */
import { randomBytes } from 'node:crypto';

/** Rows as pg_dump writes them: pgbench's accounts and history, and customers with names, addresses and hashes. */
export function* dumpText(bytes: number): Generator<Buffer> {
	const random = randomBytes(1 << 20);
	let at = 0;
	const number = (below: number) => {
		at = (at + 4) % (random.length - 4);
		return random.readUInt32LE(at) % below;
	};
	const time = () =>
		`2026-${two(1 + number(12))}-${two(1 + number(28))} ${two(number(24))}:${two(number(60))}:${two(number(60))}`;
	const two = (value: number) => String(value).padStart(2, '0');
	const names = [
		'Anna',
		'Bernd',
		'Chloé',
		'Dmitri',
		'Erika',
		'Fatima',
		'Giorgio',
		'Hanne',
		'Ivan',
		'Jörg',
		'Kiran',
		'Lena',
	];
	const name = () => names[number(names.length)] as string;
	const filler = ' '.repeat(84);
	const rows = [
		(i: number) => `${i}\t${1 + Math.floor(i / 100_000)}\t${number(100_000) - 50_000}\t${filler}\n`,
		() =>
			`${number(100)}\t${number(10)}\t${number(1_000_000)}\t${number(10_000) - 5000}\t${time()}.${number(1_000_000)}\t\\N\n`,
		(i: number) =>
			`${i}\t${name()} ${name()}\tcustomer${number(1_000_000)}@example.org\t${time()}+00\t${(number(1e7) / 100).toFixed(2)}\t` +
			`${number(2 ** 31).toString(16)}${number(2 ** 31).toString(16)}\t{"newsletter": ${number(2) === 1}, "city": "${name()}stadt", "visits": ${number(500)}}\n`,
	];
	const perTable = 50_000;
	for (let written = 0, i = 0; written < bytes; ) {
		const row = rows[Math.floor(i / perTable) % rows.length] as (i: number) => string;
		const text = Buffer.from(Array.from({ length: 500 }, () => row(i++)).join(''));
		written += text.length;
		yield text;
	}
}
