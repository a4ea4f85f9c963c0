/** Where the configuration of a server lies, as it says itself. */
import type { Client } from 'pg';
import { configurationState } from '../../../../core/sources/postgres/physical/configuration';

async function stateOf(settings: Record<string, string>): Promise<string | { warning: string }> {
	const rows = Object.entries(settings).map(([name, setting]) => ({ name, setting }));
	return await configurationState({ query: async () => await Promise.resolve({ rows }) } as unknown as Client);
}

it.each<[string, Record<string, string>, string | { warning: string }]>([
	[
		'in its folder',
		{ data_directory: '/data', config_file: '/data/postgresql.conf', hba_file: '/data/pg_hba.conf' },
		'the configuration lies in the cluster’s folder, and is in base backups',
	],
	[
		'where Debian puts it',
		{
			data_directory: '/data',
			config_file: '/etc/postgresql/17/main/postgresql.conf',
			hba_file: '/database/pg_hba.conf',
		},
		{
			warning:
				'no base backup holds /etc/postgresql/17/main/postgresql.conf and /database/pg_hba.conf: back it up as well (Archive Config)',
		},
	],
	['not known to this role', {}, expect.stringContaining('this role may not ask') as string],
])('is %s', async (_, settings, expected) => {
	expect(await stateOf(settings)).toEqual(expected);
});
