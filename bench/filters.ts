/**
 * npm run bench -- filters: what the filters of the stream cost, alone and together, and what else could have been chosen.
 * Decided by it: zstd level and frame size, how many frames at once, which digest of the original, whose age payload.
 *
 *   --size 500      MB of made-up dump text (like pgbench's tables and a customer table)
 *   --runs 3        how often each is measured
 *   --only digest   these sections only: zstd, age, digest, chain
 *   --build dist    where the compiled package is
 *
 * Started by scripts/bench.mjs in the root of the checkout. Every figure is of the fastest of the runs.
 */
import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Duplex, PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as WebReadableStream } from 'node:stream/web';
import { parseArgs, promisify } from 'node:util';
import type * as Age from '../core/codecs/age/age.ts';
import type * as AgeKeys from '../core/codecs/age/keys.ts';
import type * as Digest from '../core/codecs/digest/digest.ts';
import type * as Zstd from '../core/codecs/zstd/zstd.ts';
import { treeDigest, workerDigest } from './digests.ts';
import { dumpText } from './dump-text.ts';
import { machineShape } from './machine.ts';

const { values: options } = parseArgs({
	options: {
		size: { type: 'string', default: '500' },
		runs: { type: 'string', default: '3' },
		only: { type: 'string', default: 'zstd,age,digest,chain' },
		build: { type: 'string', default: 'dist' },
	},
});
const run = promisify(execFile);
const load = createRequire(path.resolve(options.build, 'core', 'codecs') + path.sep);
const { zstdCompress, zstdDecompress } = load('./zstd/zstd.js') as typeof Zstd;
const { ageEncrypt, ageDecrypt } = load('./age/age.js') as typeof Age;
const { generateIdentity } = load('./age/keys.js') as typeof AgeKeys;
const { createDigest } = load('./digest/digest.js') as typeof Digest;

const SECTIONS: Record<string, (dump: Dump) => Promise<void>> = {
	zstd: zstdSection,
	age: ageSection,
	digest: digestSection,
	chain: chainSection,
};

interface Dump {
	folder: string;
	path: string;
	bytes: number;
}

main().catch((error: unknown) => {
	process.exitCode = 1;
	console.error(error);
});

async function main(): Promise<void> {
	const folder = await mkdtemp(path.join(tmpdir(), 'bench-filters-'));
	const endEarly = () => void rm(folder, { recursive: true, force: true }).finally(() => process.exit(130));
	process.once('SIGINT', endEarly).once('SIGTERM', endEarly);
	try {
		const dump = { folder, path: path.join(folder, 'dump.sql'), bytes: Number(options.size) * 1e6 };
		await pipeline(Readable.from(dumpText(dump.bytes)), createWriteStream(dump.path));
		dump.bytes = (await stat(dump.path)).size;
		console.log(`${Math.round(dump.bytes / 1e6)} MB, ${machineShape()}\n`);
		console.log(`${'what'.padEnd(50)}    wall      CPU    MB/s   ratio`);
		for (const name of options.only.split(',')) await SECTIONS[name]?.(dump);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

async function zstdSection(dump: Dump): Promise<void> {
	for (const level of [1, 3]) await program(dump, `zstd -${level} -T0 (program)`, ['zstd', `-${level}`, '-T0', '-qc']);
	for (const level of [1, 2, 3, 4, 5]) await filters(dump, `zstd level ${level}`, () => [zstdCompress({ level })]);
	for (const kib of [256, 512, 2048, 4096]) {
		await filters(dump, `zstd level 3, frames of ${kib} KiB`, () => [zstdCompress({ frameSize: kib * 1024 })]);
	}
	for (const concurrency of [1, 2, 3, 4]) {
		await filters(dump, `zstd level 3, ${concurrency} at once`, () => [zstdCompress({ concurrency })]);
	}
	await filters(dump, 'zstd level 3, and back', () => [zstdCompress(), zstdDecompress({ requireSeekTable: true })]);
}

async function ageSection(dump: Dump): Promise<void> {
	const { identity, recipient } = await generateIdentity();
	const age = await import('age-encryption');
	const encrypter = new age.Encrypter();
	encrypter.addRecipient(recipient);
	const decrypter = new age.Decrypter();
	decrypter.addIdentity(identity);
	const sealed = path.join(dump.folder, 'dump.age');
	await pipeline(createReadStream(dump.path), await ageEncrypt({ recipients: [recipient] }), createWriteStream(sealed));
	const stored = { ...dump, path: sealed };
	await filters(dump, 'age encrypt', async () => [await ageEncrypt({ recipients: [recipient] })]);
	await filters(stored, 'age decrypt', () => [ageDecrypt({ identities: [identity] })]);
	const library = (title: string, file: string, work: (bytes: ReadableStream) => Promise<ReadableStream>) =>
		measure(title, dump.bytes, () =>
			timed(async () => drain(Readable.fromWeb((await work(webStream(file))) as WebReadableStream))),
		);
	await library('age encrypt (library)', dump.path, (bytes) => encrypter.encrypt(bytes));
	await library('age decrypt (library)', sealed, (bytes) => decrypter.decrypt(bytes));
	await program(dump, 'age (program)', ['age', '-r', recipient]);
}

/** What a digest of the original costs beside the compression, which keeps all cores busy. */
async function digestSection(dump: Dump): Promise<void> {
	const choices: Record<string, () => Duplex> = {
		none: () => new PassThrough(),
		'SHA-256': () => createDigest('sha256'),
		BLAKE2b: () => createDigest('blake2b512'),
		'SHA-256 in a worker': workerDigest,
		'SHA-256 per MiB on the pool': treeDigest,
	};
	for (const [name, digest] of Object.entries(choices)) await filters(dump, `digest alone: ${name}`, () => [digest()]);
	for (const level of [1, 3]) {
		for (const [name, digest] of Object.entries(choices)) {
			await filters(dump, `zstd level ${level}, digest: ${name}`, () => [digest(), zstdCompress({ level })]);
		}
	}
}

async function chainSection(dump: Dump): Promise<void> {
	const { identity, recipient } = await generateIdentity();
	for (const level of [1, 2, 3]) {
		await program(dump, `zstd -${level} -T0 | age (programs)`, [
			'sh',
			'-c',
			`zstd -${level} -T0 -qc "$0" | age -r ${recipient}`,
		]);
		await filters(dump, `whole chain, level ${level}`, async () => [
			createDigest('blake2b512'),
			zstdCompress({ level }),
			await ageEncrypt({ recipients: [recipient] }),
			createDigest('sha256'),
		]);
	}
	await filters(dump, 'whole chain, level 3, and back', async () => [
		createDigest('blake2b512'),
		zstdCompress(),
		await ageEncrypt({ recipients: [recipient] }),
		createDigest('sha256'),
		ageDecrypt({ identities: [identity] }),
		zstdDecompress({ requireSeekTable: true }),
		createDigest('blake2b512'),
	]);
	console.log(`peak memory of this process: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`);
}

/** @param create makes the chain anew for each run */
function filters(dump: Dump, title: string, create: () => Duplex[] | Promise<Duplex[]>): Promise<void> {
	return measure(title, dump.bytes, async () => {
		const chain = await create();
		return await timed(() => drain(createReadStream(dump.path, { highWaterMark: 128 * 1024 }), ...chain));
	});
}

/** Measures a program that reads the dump from the path given as its last argument. */
function program(dump: Dump, title: string, command: string[]): Promise<void> {
	const out = path.join(dump.folder, 'out');
	const script = `out="$1"; shift; TIMEFORMAT='%R %U %S'; time "$@" >"$out"`;
	return measure(title, dump.bytes, async () => {
		const { stderr } = await run('bash', ['-c', script, 'bash', out, ...command, dump.path]);
		const [wall = NaN, user = NaN, system = NaN] = stderr.trim().split(/\s+/).map(Number);
		return { wall, cpu: user + system, out: (await stat(out)).size };
	});
}

interface Run {
	/** Seconds. */
	wall: number;
	/** Processor seconds. */
	cpu: number;
	/** Bytes that came out. */
	out: number;
}

/** Runs something several times and prints the least it took. */
async function measure(title: string, bytes: number, once: () => Promise<Run>): Promise<void> {
	const runs: Run[] = [];
	for (let i = 0; i < Number(options.runs); i++) runs.push(await once());
	const wall = Math.min(...runs.map((one) => one.wall));
	const cpu = Math.min(...runs.map((one) => one.cpu));
	const figures = [
		`${wall.toFixed(2)} s`.padStart(9),
		`${cpu.toFixed(2)} s`.padStart(9),
		(bytes / 1e6 / wall).toFixed(0).padStart(7),
		(bytes / (runs[0]?.out ?? NaN)).toFixed(2).padStart(8),
	];
	console.log(title.padEnd(50) + figures.join(''));
}

/** @param work resolves with the bytes that came out */
async function timed(work: () => Promise<number>): Promise<Run> {
	const cpu = process.cpuUsage();
	const start = performance.now();
	const out = await work();
	const { user, system } = process.cpuUsage(cpu);
	return { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, out };
}

/** Sends everything through the chain into nothing. Resolves with the number of bytes that arrived. */
async function drain(source: Readable, ...chain: Duplex[]): Promise<number> {
	let bytes = 0;
	const sink = new Writable({
		write(chunk: Buffer, _encoding, done) {
			bytes += chunk.length;
			done();
		},
	});
	await pipeline([source, ...chain, sink]);
	return bytes;
}

function webStream(file: string): ReadableStream<Uint8Array> {
	return Readable.toWeb(createReadStream(file, { highWaterMark: 128 * 1024 }));
}
