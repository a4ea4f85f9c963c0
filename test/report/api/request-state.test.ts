/** How far a request is, from what was written down of it and from the journal. */
import type { JournalRun } from '../../../core/records/journal/journal';
import type { KnownRequest } from '../../../core/records/requests';
import { requestState } from '../../../core/report/api/request-state';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const ago = (minutes: number) => new Date(NOW - minutes * 60_000);
const END = { outcome: 'failed' as const, code: null, backups: [], at: ago(0) };

function state(accepted: number, runs: Array<[JournalRun['state'], number?]>, end: KnownRequest['end'] = null) {
	const known = { acceptedAt: ago(accepted), end } as KnownRequest;
	const all = runs.map(([each, ended]) => ({
		state: each,
		finishedAt: ended === undefined ? null : ago(ended).toISOString(),
	}));
	return requestState(known, all as JournalRun[], NOW);
}

it.each<[string, string, string]>([
	['it has ended as was written down, whatever the journal says', state(90, [['running']], END), 'failed'],
	['it is at work while a run of it is', state(90, [['ok', 60], ['running']]), 'running'],
	['it is at work right after it was accepted, before anything runs', state(9, []), 'running'],
	['it is at work between a backup and its verification', state(90, [['ok', 9]]), 'running'],
	['it is lost when nothing of it ever ran', state(11, []), 'lost'],
	['it is lost when nothing has followed for a while', state(90, [['ok', 11]]), 'lost'],
	['it is lost with a run that is lost', state(1, [['ok', 1], ['lost']]), 'lost'],
	['it has failed when somebody has stopped it', state(1, [['cancelled', 1]]), 'failed'],
])('%s', (_, found, expected) => expect(found).toBe(expected));
