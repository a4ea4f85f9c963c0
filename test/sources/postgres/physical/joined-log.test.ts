/** Which stored log belongs behind a base backup: histories that only look alike are never joined. */
import type { Manifest } from '../../../../core/records/manifest';
import {
	joinLog,
	type JoinedLog,
	readLog,
	readLogBehind,
} from '../../../../core/sources/postgres/physical/restore/joined-log';
import { parseLabel } from '../../../../core/records/label';
import type { BackupEntry } from '../../../../core/records/repository';
import { manifestOf } from '../../../support/manifest';

let minute = 0;
beforeEach(() => {
	minute = 0;
});

/** A second of the day of all that is made here. */
const at = (second: number) => `2026-11-20T10:00:0${second}.000Z`;

/** A run of log from one place to another, in hexadecimal digits, each a minute after the one before. */
function log(from: string, to: string, { anew = false, server = 'a', commit = null as string | null } = {}): Manifest {
	const label = `20261120T10${String(++minute).padStart(2, '0')}00Z-full-aaaa`;
	const details = { walStart: `0/${from}`, walEnd: `0/${to}`, newBeginning: anew, lastCommit: commit };
	return manifestOf('wal/main', label, { source: { kind: 'wal', server, details } });
}

function base(from: string, to: string, server = 'a'): Manifest {
	const label = `20261120T10${String(++minute).padStart(2, '0')}00Z-full-bbbb`;
	const details = { walStart: `0/${from}`, walEnd: `0/${to}` };
	return manifestOf('cluster/main', label, { source: { kind: 'cluster', server, details } });
}

/** A repository of these alone. @param read is told of each manifest that is read */
function repositoryOf(log: readonly Manifest[], read: (label: string) => void = () => undefined) {
	return {
		list: async () =>
			await Promise.resolve(
				log.map(
					({ group, label }) => ({ group, label, startedAt: parseLabel(label)!.startedAt.getTime() }) as BackupEntry,
				),
			),
		async readManifest(_: string, label: string) {
			read(label);
			return await Promise.resolve(log.find((each) => each.label === label)!);
		},
	};
}

/** Joins all of it, and what is read for this base backup alone: which must be the same. */
async function joined(made: Manifest, log: readonly Manifest[]): Promise<JoinedLog> {
	const signal = new AbortController().signal;
	const all = joinLog(made, await readLog(repositoryOf(log), 'wal/main', signal));
	expect(joinLog(made, await readLogBehind(repositoryOf(log), 'wal/main', made, signal))).toEqual(all);
	return all;
}

it('reads only what may belong behind a base backup', async () => {
	const pieces = Array.from({ length: 58 }, (_, n) =>
		log((n * 256).toString(16), ((n + 1) * 256).toString(16), { anew: n === 0 }),
	);
	const made = { ...base((55 * 256).toString(16), (56 * 256).toString(16)), startedAt: pieces[55]!.startedAt };
	const read: string[] = [];
	const repository = repositoryOf(pieces, (label) => void read.push(label));
	const signal = new AbortController().signal;
	const found = joinLog(made, await readLogBehind(repository, 'wal/main', made, signal));
	expect(found).toEqual(joinLog(made, pieces));
	expect(found.pieces).toEqual(pieces.slice(56));
	expect(read.length).toBeLessThan(15);
});

it('joins what follows without a gap, of the same server, and knows what lies beside the base backup', async () => {
	const pieces = [log('0', '100', { anew: true }), log('0', '250')];
	const made = base('200', '300');
	const later = [log('200', '400', { commit: at(1) }), log('400', '500', { server: 'b' }), log('300', '600')];
	expect(await joined(made, [...pieces, ...later])).toEqual({
		...{
			earlier: [pieces[1]],
			pieces: [later[0], later[2]],
			end: 0x600n,
			lastCommit: { time: at(1), isKnown: true },
			gap: null,
		},
	});
});

it('says where log is missing, and joins nothing behind it', async () => {
	const made = base('0', '100');
	const [first, , third] = [log('0', '200', { anew: true }), log('200', '300'), log('300', '400')];
	expect(await joined(made, [first, third])).toMatchObject({ pieces: [first], end: 0x200n, gap: third });
});

it('never joins log of a server that was put back to an older state, on either side', async () => {
	const before = base('100', '200');
	const old = [log('0', '300', { anew: true }), log('300', '900', { commit: at(2) })];
	// Put back, and written anew at the same places.
	const anew = [log('100', '400', { anew: true }), log('400', 'a00', { commit: at(3) })];
	const after = base('500', '600');
	const more = log('a00', 'b00');
	const all = [...old, ...anew, more];
	expect(await joined(before, all)).toMatchObject({
		pieces: old,
		end: 0x900n,
		lastCommit: { time: at(2), isKnown: true },
		gap: null,
	});
	expect(await joined(after, all)).toMatchObject({
		earlier: [],
		pieces: [anew[1], more],
		end: 0xb00n,
		lastCommit: { time: at(3), isKnown: true },
	});
});
