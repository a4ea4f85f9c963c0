/** What the programs of all side-by-side benchmarks have in common: being ended, saying how far they are, writing figures down. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { output } from './measure.ts';
import type { Secrets } from './contenders.ts';

/** The checkout; scripts/bench.mjs starts benchmarks there. */
export const ROOT = process.cwd();
const README = path.join(ROOT, 'bench', 'README.md');

/**
 * Runs a benchmark with a temporary folder, which is removed at the end.
 * @param main gets the folder, and a signal that aborts when the program shall end
 */
export async function runBenchmark(main: (folder: string, signal: AbortSignal) => Promise<void>): Promise<void> {
	const stop = new AbortController();
	for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
		process.on(name, () => stop.abort(new Error(`ended by ${name}`)));
	const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'bench-files-'));
	try {
		await main(folder, stop.signal);
	} catch (error) {
		process.exitCode = 1;
		say(error instanceof Error ? error.message : String(error));
	} finally {
		await fs.rm(folder, { recursive: true, force: true });
	}
}

/** Progress; the tables go to stdout. */
export function say(text: string): void {
	process.stderr.write(`[${String(Math.round(performance.now() / 1000)).padStart(5)} s] ${text}\n`);
}

/** Says each tenth of a long step once. */
export function sayShares(): (share: number) => void {
	let told = 0;
	return (share) => {
		if (share < told + 0.1) return;
		told = share;
		say(`  ${Math.round(share * 100)} %`);
	};
}

/** A new age key pair, its secret half in the folder. */
export async function makeKeys(folder: string, signal: AbortSignal): Promise<Secrets> {
	const identityFile = path.join(folder, 'identity.txt');
	await output(`age-keygen -o ${identityFile} 2>/dev/null`, { env: {}, signal });
	return { identityFile, recipient: await output(`age-keygen -y ${identityFile}`, { env: {}, signal }) };
}

/** The first line of what a benchmark reports: "`npm run bench -- dump`, 2026-11-21: a dump of 1.00 GB, 3 rounds." */
export function reportHead(name: string, bytes: number, rounds: number): string {
	const size = bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;
	return `${reportDate(name)}: a dump of ${size}, ${rounds} round${rounds === 1 ? '' : 's'}.`;
}

/** Which run it was: "`npm run bench -- dump`, 2026-11-21". */
export function reportDate(name: string): string {
	const command = `npm run bench -- ${name} ${process.argv.slice(2).join(' ')}`.trim();
	return `\`${command}\`, ${new Date().toISOString().slice(0, 10)}`;
}

/** Replaces what the last complete run of this benchmark wrote into bench/README.md. */
export async function intoReadme(name: string, text: string): Promise<void> {
	const [first, last] = [`<!-- npm run bench -- ${name} -->`, `<!-- end of npm run bench -- ${name} -->`];
	const before = await fs.readFile(README, 'utf8');
	const [begin, end] = [before.indexOf(first), before.indexOf(last)];
	if (begin < 0 || end < begin) throw new Error(`${README} has no place for the figures: ${first} … ${last}`);
	await fs.writeFile(README, `${before.slice(0, begin + first.length)}\n\n${text}\n\n${before.slice(end)}`);
	say('written into bench/README.md');
}

/** "1G" → 1e9 */
export function parseSize(text: string): number {
	const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([KMG]?)$/.exec(text) ?? [];
	if (number === undefined) throw new Error(`${text} is no size: write 200K, 100M or 4G`);
	return Number(number) * { K: 1e3, M: 1e6, G: 1e9, '': 1 }[unit as 'K' | 'M' | 'G' | ''];
}
