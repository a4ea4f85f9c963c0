/** Which stored log belongs behind a base backup: histories that only look alike are never joined. */
import type { Manifest } from '../../../../core/records/manifest';
import { joinLog } from '../../../../core/sources/postgres/physical/restore/joined-log';
import { manifestOf } from '../../../support/manifest';

let minute = 0;
beforeEach(() => {
	minute = 0;
});

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

it('joins what follows without a gap, of the same server, and knows what lies beside the base backup', () => {
	const pieces = [log('0', '100', { anew: true }), log('0', '250')];
	const made = base('200', '300');
	const later = [log('200', '400', { commit: 'one' }), log('400', '500', { server: 'b' }), log('300', '600')];
	expect(joinLog(made, [...pieces, ...later])).toEqual({
		...{ earlier: [pieces[1]], pieces: [later[0], later[2]], end: 0x600n, lastCommit: 'one', gap: null },
	});
});

it('says where log is missing, and joins nothing behind it', () => {
	const made = base('0', '100');
	const [first, , third] = [log('0', '200', { anew: true }), log('200', '300'), log('300', '400')];
	expect(joinLog(made, [first, third])).toMatchObject({ pieces: [first], end: 0x200n, gap: third });
});

it('never joins log of a server that was put back to an older state, on either side', () => {
	const before = base('100', '200');
	const old = [log('0', '300', { anew: true }), log('300', '900', { commit: 'lost' })];
	// Put back, and written anew at the same places.
	const anew = [log('100', '400', { anew: true }), log('400', 'a00', { commit: 'new' })];
	const after = base('500', '600');
	const more = log('a00', 'b00');
	const all = [...old, ...anew, more];
	expect(joinLog(before, all)).toMatchObject({ pieces: old, end: 0x900n, lastCommit: 'lost', gap: null });
	expect(joinLog(after, all)).toMatchObject({ earlier: [], pieces: [anew[1], more], end: 0xb00n, lastCommit: 'new' });
});
