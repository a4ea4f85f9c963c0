/** What is compared: our two engines, and what a user would write into a cron job instead. */
import type { Destination } from './destinations.ts';

export interface Contender {
	readonly name: ContenderName;
	/** For people: the pipeline, in short. */
	readonly title: string;
	/** Shell: makes the backup. */
	backUp(destination: Destination): string;
	/** Shell: what must be done once before the first backup. */
	prepare?(destination: Destination): string;
	/** Shell: writes the dump that lies in storage, decrypted and decompressed. */
	open(destination: Destination): string;
}

export type ContenderName = 'builtin' | 'native' | 'zstd' | 'restic' | 'gzip';

/** Everything is a ratio to this one. */
export const BASELINE: ContenderName = 'zstd';

export interface Secrets {
	/** age1… */
	recipient: string;
	/** Where the secret key lies. */
	identityFile: string;
}

/**
 * The programs find the server and the passphrases in their environment: PGHOST, PGPORT, PGUSER, PGPASSWORD,
 * RESTIC_PASSWORD, BENCH_PASSPHRASE.
 */
export function createContenders(root: string, database: string, { recipient, identityFile }: Secrets): Contender[] {
	const openAge = (destination: Destination) =>
		`${destination.source('dump.sql.zst.age')} | age -d -i ${identityFile} | zstd -dcq`;
	const ours = (engine: 'builtin' | 'native', title: string): Contender => ({
		name: engine,
		title,
		backUp: ({ storage }) =>
			`${process.execPath} --require ${root}/bench/event-loop.cjs ${root}/dist/bin/n8n-backup.js dump --json` +
			` --storage '${storage}' --database "postgres://$PGUSER@$PGHOST:$PGPORT/${database}?sslmode=disable"` +
			` --group postgres/${database} --recipient ${recipient} --engine ${engine}`,
		open: openAge,
	});
	const dump = `pg_dump ${database}`;
	const restic = ({ repository }: Destination) => `restic -q -r ${repository}`;
	return [
		ours('builtin', '**ours, built-in engine**'),
		ours('native', '**ours, native engine**'),
		{
			name: 'zstd',
			title: '`pg_dump \\| zstd -3 -T0 \\| age`',
			backUp: (destination) =>
				`${dump} | zstd -3 -T0 -cq | age -r ${recipient} ${destination.sink('dump.sql.zst.age')}`,
			open: openAge,
		},
		{
			name: 'restic',
			title: '`pg_dump \\| restic backup --stdin`',
			prepare: (destination) => `${restic(destination)} init`,
			backUp: (destination) => `${dump} | ${restic(destination)} backup --stdin --stdin-filename dump.sql`,
			open: (destination) => `${restic(destination)} dump latest dump.sql`,
		},
		{
			name: 'gzip',
			title: '`pg_dump \\| gzip \\| openssl enc -aes-256-ctr -pbkdf2`',
			backUp: (destination) =>
				`${dump} | gzip | openssl enc -aes-256-ctr -pbkdf2 -pass env:BENCH_PASSPHRASE ${destination.sink('dump.sql.gz.enc')}`,
			open: (destination) =>
				`${destination.source('dump.sql.gz.enc')} | openssl enc -d -aes-256-ctr -pbkdf2 -pass env:BENCH_PASSPHRASE | gzip -dc`,
		},
	];
}
