/** What a restore is planned to be, where manifests tell what cannot be believed, or too little. */
import { planLogGroup } from '../../../../core/sources/postgres/physical/wal/retention';
import { planClusterRestore } from '../../../../core/sources/postgres/physical/restore/plan';
import type { RecoveryTarget } from '../../../../core/sources/postgres/physical/restore/recovery';
import type { Repository } from '../../../../core/records/repository';
import { manifestOf } from '../../../support/manifest';
import { newRepository } from '../../../support/stored-backups';
import type { Manifest } from '../../../../core/records/manifest';

type Details = Manifest['source']['details'];

const SERVER = 'a'.repeat(32);
const NEVER = new AbortController().signal;
/** Minutes of the day of all that is made here. */
const at = (minute: number) => `2026-11-20T10:${String(minute).padStart(2, '0')}:00.000Z`;
const labelAt = (minute: number, end: string) =>
	`${at(minute)
		.replaceAll(/[-:]/g, '')
		.replace(/\.\d+Z$/, 'Z')}-full-${end}`;

/** A base backup of the first minute, and a piece of log in each of the next ones, with these details. */
async function repositoryOf(base: Details, log: readonly Details[]): Promise<Repository> {
	const repository = await newRepository();
	await repository.writeManifest(
		manifestOf('cluster/main', labelAt(0, 'bbbb'), { source: { kind: 'cluster', server: SERVER, details: base } }),
	);
	for (const [n, details] of log.entries()) {
		const source = { kind: 'wal', server: SERVER, details } as const;
		await repository.writeManifest(manifestOf('wal/main', labelAt(n + 1, 'aaaa'), { source }));
	}
	return repository;
}

async function plan(repository: Repository, target: RecoveryTarget) {
	const readContents = async () => await Promise.resolve(null);
	return await planClusterRestore({ repository, group: 'cluster/main', target, readContents, signal: NEVER });
}

const BASE = { walStart: '0/100', walEnd: '0/200' };
const piece = (n: number, lastCommit: string | null) => ({
	...{ walStart: `0/${n}00`, walEnd: `0/${n + 1}00`, lastCommit },
});
const WANTED: RecoveryTarget = { kind: 'time', time: new Date(at(2)) };

describe('a time', () => {
	it.each<[string, Array<string | null>, RecoveryTarget['kind'], string | null]>([
		['before the log began to be', ['2000-01-04T05:06:07.000Z'], 'time', null],
		['before the piece before', [at(1), '2026-03-01T00:00:00.000Z'], 'time', null],
		['long after the piece was stored', [at(1), '2031-01-01T00:00:00.000Z'], 'time', null],
		['no date', [at(1), 'yesterday'], 'time', null],
		['known again', ['2000-01-04T05:06:07.000Z', at(1)], 'newest', at(1)],
		['a moment before the piece before, as it happens', [at(1), '2026-11-20T10:00:59.999Z'], 'newest', at(1)],
		['none, since nothing happened', [null, null], 'newest', null],
	])(
		'is found by the server wherever something may have been committed behind it: the last time is %s',
		async (_, commits, kind, until) => {
			const log = Array.from({ length: 3 }, (_, n) => piece(n + 2, n < commits.length ? commits[n]! : null));
			const { target, log: needed, restorableUntil, warnings } = await plan(await repositoryOf(BASE, log), WANTED);
			expect({ kind: target.kind, needed: needed?.labels.length, restorableUntil }).toEqual({
				...{ kind, needed: 3, restorableUntil: until },
			});
			expect(warnings).toEqual(kind === 'time' ? [expect.stringContaining('is not known')] : []);
		},
	);
});

it('leaves out log that does not say which it is, and base backups too', async () => {
	const log: Details[] = [{}, piece(2, null), { walStart: '0/300', walEnd: 'there' }];
	const repository = await repositoryOf(BASE, log);
	expect(await plan(repository, { kind: 'newest' })).toMatchObject({ log: { labels: [labelAt(2, 'aaaa')] } });
	const without = await repositoryOf({ walStart: '0/100' }, log);
	const refused = expect(plan(without, { kind: 'lsn', lsn: '0/250' })).rejects;
	await refused.toThrow(`cluster/main/${labelAt(0, 'bbbb')} does not say how far it goes`);
});

it('expires no log while a base backup does not say which of it it needs', async () => {
	const log = [piece(0, null), piece(2, null), piece(3, null)];
	const kept = async (base: Details) => {
		const repository = await repositoryOf(base, log);
		const members = await repository.list('wal/main');
		const { backups } = (await planLogGroup(repository, members, NEVER))!;
		return backups.map(({ action }) => action);
	};
	expect(await kept({ ...BASE, walStart: '0/200' })).toEqual(['expire', 'keep', 'keep']);
	expect(await kept({ walEnd: '0/200' })).toEqual(['keep', 'keep', 'keep']);
});
