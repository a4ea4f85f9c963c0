/**
 * npm run bench -- copy: one backup from a folder to S3, from S3 to a folder, from S3 to S3, and from a folder to an SFTP server and back, by
 * us, by rclone, and by s3cmd or sftp, side by side: copying alone, and (rclone) copying and reading back.
 *
 *   --size 300M    bytes of the backup (random, so stored it has as many)
 *   --runs 3       rounds; the figures are medians
 *   --only s3-s3   these ways only: folder-s3, s3-folder, s3-s3, folder-sftp, sftp-folder
 *   --folder DIR   on which disk the folders are made (default: the system's temporary folder)
 *
 * Started by scripts/bench.mjs in the root of the checkout. A complete run writes its tables into bench/README.md.
 */
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, mega } from './comparison.ts';
import { type Destination, folderDestination, s3Destination, secondRemote } from './destinations.ts';
import { duelTable } from './duel-table.ts';
import { type Duel, fight, ratioOf, type Result } from './duels.ts';
import { machineShape, programVersions } from './machine.ts';
import { type CommandOptions, output } from './measure.ts';
import { intoReadme, parseSize, reportDate, ROOT, runBenchmark, say } from './program.ts';
import { type SftpPlace, sftpPlace } from './sftp.ts';
import { aimRow, markdown } from './table.ts';

const GROUP = 'postgres/shop';
const WAYS = ['folder-s3', 's3-folder', 's3-s3', 'folder-sftp', 'sftp-folder'] as const;
type Way = (typeof WAYS)[number];
const OURS = `${process.execPath} --require ${ROOT}/bench/event-loop.cjs ${ROOT}/dist/bin/n8n-backup.js`;

const { values: options } = parseArgs({
	options: {
		size: { type: 'string', default: '300M' },
		runs: { type: 'string', default: '3' },
		only: { type: 'string', default: WAYS.join(',') },
		folder: { type: 'string', default: os.tmpdir() },
	},
});

/** Where a copy comes from or goes to. */
interface Place {
	/** As our command line wants it. */
	readonly storage: string;
	/** As rclone wants it. */
	readonly remote: string;
	/** As the plain program wants it: s3cmd, or sftp, whose folder lies on this machine. */
	readonly plain: string;
	readonly reclaim: Destination['reclaim'];
}

void runBenchmark(main);

async function main(folder: string, signal: AbortSignal): Promise<void> {
	const size = parseSize(options.size);
	const rounds = Number(options.runs);
	const ways = options.only.split(',');
	const unknown = ways.find((way) => !WAYS.some((known) => known === way));
	if (unknown !== undefined) throw new Error(`--only ${unknown} is not known: ${WAYS.join(', ')}`);
	const opened: Array<Pick<Destination, 'close'>> = [];
	try {
		const open = async <Opened extends Pick<Destination, 'close'>>(opening: Promise<Opened>) => {
			const place = await opening;
			opened.push(place);
			return place;
		};
		const [one, other] = [await open(folderDestination(options.folder)), await open(folderDestination(options.folder))];
		const s3 = await open(s3Destination(signal));
		const server = await open(sftpPlace(options.folder, signal));
		const how = { env: { ...s3.env, ...secondRemote(s3.env), ...server.env }, signal };
		await output('rclone -q mkdir second:second', how);
		const [folders, buckets] = [[one, other].map(inFolder), inBuckets(s3)];
		const sftp = { ...server, plain: server.folder, reclaim: async () => undefined };
		const results: Result[] = [];
		for (const [way, from, to] of [
			['folder-s3', folders[0]!, buckets[1]!],
			['s3-folder', buckets[0]!, folders[1]!],
			['s3-s3', buckets[0]!, buckets[1]!],
			['folder-sftp', folders[0]!, sftp],
			['sftp-folder', sftp, folders[1]!],
		] as const) {
			if (!ways.includes(way)) continue;
			await output(emptied(from), how);
			say(`${way}: make a backup of ${mega(size)} MB`);
			const object = await output(
				`${process.execPath} ${ROOT}/bench/copy-make.cjs '${from.storage}' ${GROUP} ${size}`,
				how,
			);
			for (const duel of await createDuels(way, from, to, object, { ...how, sftp: server.sftp })) {
				results.push(await fight(duel, { ...how, rounds, folder, say }));
			}
		}
		const text = await report(results, { size, rounds, signal });
		process.stdout.write(`${text}\n`);
		if (size >= 300e6 && rounds >= 3 && results.length === 3 * WAYS.length) await intoReadme('copy', text);
		else say('not a complete run: bench/README.md stays as it is');
	} finally {
		for (const destination of opened) await destination.close();
	}
}

function inFolder({ storage, reclaim }: Destination): Place {
	const folder = `${fileURLToPath(storage)}/`;
	return { storage, reclaim, remote: folder, plain: folder };
}

function inBuckets({ storage, reclaim }: Destination): Place[] {
	return [
		{ storage, reclaim, remote: 'bench:bench/', plain: 's3://bench/' },
		{ storage: storage.replace('s3://bench', 's3://second'), reclaim, remote: 'second:second/', plain: 's3://second/' },
	];
}

function emptied({ remote }: Place): string {
	return `rclone -q delete ${remote}`;
}

async function createDuels(
	way: Way,
	from: Place,
	to: Place,
	object: string,
	how: CommandOptions & Pick<SftpPlace, 'sftp'>,
): Promise<Duel[]> {
	const digest = async (place: Place) => await output(`rclone cat ${place.remote}${object} | sha256sum`, how);
	const original = await digest(from);
	const command = `${OURS} copy ${GROUP} --json --storage '${from.storage}' --to-storage '${to.storage}'`;
	const rclone = `rclone -q copyto --disable copy ${from.remote}${object} ${to.remote}${object}`;
	const plain = plainCopy(way, from.plain + object, to.plain + object, how);
	const prepare = async () => {
		await output(emptied(to), how);
		await to.reclaim();
	};
	const check = async () => {
		if ((await digest(to)) !== original) throw new Error(`the copy ${way} is not the original`);
	};
	// Of n8n, whose process runs already, nobody waits for the start.
	const seconds = (name: 'seconds' | 'copySeconds') => (stdout: string) => secondsOf(JSON.parse(stdout), name);
	return [
		{
			name: way,
			ours: { title: `**ours**: ${way}, until all bytes are there`, command, seconds: seconds('copySeconds') },
			theirs: { title: '`rclone copyto`', command: rclone },
			prepare,
			check,
		},
		{
			name: `${way}, and ${plain.program}`,
			ours: { title: `**ours**: ${way}, until all bytes are there`, command, seconds: seconds('copySeconds') },
			theirs: { title: `\`${plain.title}\``, command: plain.command },
			prepare,
			check,
		},
		{
			name: `${way}, read back`,
			ours: { title: `**ours**: ${way}, read back`, command, seconds: seconds('seconds') },
			theirs: {
				title: '`rclone copyto`, then `rclone cat \\| sha256sum`',
				command: `${rclone} && rclone -q cat ${to.remote}${object} | sha256sum`,
			},
			prepare,
			check,
		},
	];
}

/** What most people would type. s3cmd knows no copy between two servers: one of it reads, another one writes. */
function plainCopy(way: Way, from: string, to: string, { env, sftp }: CommandOptions & Pick<SftpPlace, 'sftp'>) {
	const { host } = new URL(env.RCLONE_CONFIG_BENCH_ENDPOINT!);
	const s3cmd = `s3cmd -q -c /dev/null --no-ssl --host=${host} --host-bucket=${host}`;
	// The server's folder lies here.
	const made = `mkdir -p ${path.dirname(to)}`;
	const ways: Record<Way, { title: string; command: string }> = {
		'folder-s3': { title: 's3cmd put', command: `${s3cmd} put ${from} ${to}` },
		's3-folder': { title: 's3cmd get', command: `${made} && ${s3cmd} get ${from} ${to}` },
		's3-s3': { title: 's3cmd get | s3cmd put', command: `${s3cmd} get ${from} - | ${s3cmd} put - ${to}` },
		'folder-sftp': { title: 'sftp put', command: `${made} && ${sftp(`put ${from} ${to}`)}` },
		'sftp-folder': { title: 'sftp get', command: `${made} && ${sftp(`get ${from} ${to}`)}` },
	};
	return { program: ways[way].title.split(' ')[0]!, ...ways[way] };
}

function secondsOf(answer: unknown, name: 'seconds' | 'copySeconds'): number {
	const { results } = answer as { results: Array<{ status: string; seconds: number; copySeconds: number }> };
	const [result] = results;
	if (result?.status !== 'copied') throw new Error(`a copy ended with ${result?.status}`);
	return result[name];
}

async function report(
	results: readonly Result[],
	{ size, rounds, signal }: { size: number; rounds: number; signal: AbortSignal },
): Promise<string> {
	const aims = results.flatMap((result) => [
		aimRow(
			`${result.duel.name}: speed of the other`,
			1 / ratioOf(result, ({ wall }) => wall),
			result.duel.name.includes('sftp') ? 0.8 : 0.9,
			'at least',
			'×',
		),
		aimRow(
			`${result.duel.name}: peak memory`,
			median(result.ours.map(({ memory }) => memory)) / 1e6,
			300,
			'at most',
			' MB',
		),
	]);
	return [
		`${reportDate('copy')}: a backup of ${mega(size)} MB, ${rounds} round${rounds === 1 ? '' : 's'}.`,
		`Machine: ${machineShape()}. S3: Ceph's gateway on the same machine, SFTP: OpenSSH's server there; programs: ${await programVersions(['rclone', 's3cmd', 'OpenSSH', 'sha256sum', 'Ceph'], signal)}.`,
		'× is the ratio to the other program in the same round; of several rounds, all figures are medians. CPU time and peak memory (the sum ' +
			'of the peaks of all processes) are without the server, which shares the same cores; ours are those of the whole command, with the reading back.',
		duelTable(results),
		`### Aims of copy\n\n${markdown([['aim', 'limit', 'measured', ''], ['---', '---:', '---:', '---'], ...aims])}`,
	].join('\n\n');
}
