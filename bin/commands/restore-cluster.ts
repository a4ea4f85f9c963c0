/** Where a cluster is restored to and up to which moment, as the options of `n8n-backup restore` say, and what is told of it. */
import path from 'node:path';
import { BackupError, isBackupError, isOfStorage } from '../../core/base/errors';
import { DEFAULT_LIMITS } from '../../core/base/limits';
import type { Repository } from '../../core/records/repository';
import { newestReadable } from '../../core/records/readable-choice';
import { CLUSTER } from '../../core/sources/postgres/physical/base/word';
import { fetchCommand, type RecoveryTarget, shellWord } from '../../core/sources/postgres/physical/restore/recovery';
import { type ClusterRestored, clusterRestorer } from '../../core/sources/postgres/physical/restore/restorer';
import { planClusterRestore } from '../../core/sources/postgres/physical/restore/plan';
import { type OpenOptions, readContents } from '../../core/verbs/open-backup';
import type { RestoreRequest } from '../../core/verbs/restore/types';
import { printLine } from '../output';
import type { RestoreWay } from './restore-way';

/** Options that only clusters have. */
export interface ClusterRestoreCommand {
	to: string;
	until?: string;
	lsn?: string;
	restorePoint?: string;
	baseOnly?: boolean;
	tablespace?: string[];
	fetchLog?: boolean;
}

/** Whether a group holds base backups, as the newest one that can be read says. */
export async function isCluster(repository: Repository, group: string, signal: AbortSignal): Promise<boolean> {
	for (const { label } of await newestReadable(repository, await repository.list(group), signal)) {
		try {
			return (await repository.readManifest(group, label, signal)).source.kind === CLUSTER;
		} catch (error) {
			// One that nobody can read says nothing; a storage that does not answer must not look like that.
			if (signal.aborted || !isBackupError(error) || isOfStorage(error.code)) throw error;
		}
	}
	return false;
}

/**
 * Chooses the base backup and the log.
 * @throws BackupError as {@link planClusterRestore}, 'invalid-input' for options that contradict each other
 */
export async function planCluster(
	reading: Pick<OpenOptions, 'repository' | 'keys' | 'signal'> & { group: string },
	label: string | null,
	options: Omit<ClusterRestoreCommand, 'until'> & FetchOptions & { until: Date | null },
): Promise<Pick<RestoreRequest, 'label' | 'alongside'> & { warnings: string[]; way: RestoreWay<ClusterRestored> }> {
	const target = targetOf(options);
	const { stallTimeoutMs } = DEFAULT_LIMITS;
	const plan = await planClusterRestore({
		...{ ...reading, ...(label !== null && { label }), target },
		readContents: async (manifest) => await readContents(manifest, { ...reading, stallTimeoutMs }),
	});
	const to = path.resolve(options.to);
	const tablespaces = Object.fromEntries((options.tablespace ?? []).map(readMapping));
	const restoreCommand = options.fetchLog && plan.log ? fetchBy(options, `${reading.group}/${plan.label}`) : undefined;
	return {
		label: plan.label,
		...(plan.log && !restoreCommand && { alongside: plan.log }),
		warnings: plan.warnings,
		way: {
			restorer: clusterRestorer({ to, tablespaces, target: plan.target, restoreCommand }),
			progress: () => '',
			show({ group, label: of, comparison, folder, major, seconds, lastCommit }, asOf) {
				printLine(`${group}/${of}: ${comparison.says} in ${folder}, in ${seconds.toFixed(1)} s`);
				printLine(`the base backup is ${asOf}`);
				if (restoreCommand) printLine(`the server fetches its log by: ${restoreCommand}`);
				if (lastCommit !== null) printLine(`the log goes on to the transaction of ${lastCommit}`);
				printLine(`to start it, as the user who runs PostgreSQL ${major}: pg_ctl -D ${folder} start`);
			},
		},
	};
}

/** What the server needs to fetch its log itself. */
interface FetchOptions {
	storage: string;
	identity?: string;
	signers?: string;
}

/** This very program, as the server calls it from its own folder. Secrets are in neither: the server needs the same environment. */
function fetchBy({ storage, identity, signers }: FetchOptions, base: string): string {
	const words = [
		process.execPath,
		...process.execArgv,
		path.resolve(process.argv[1]!),
		'wal-get',
		'--storage',
		storage,
	];
	if (identity !== undefined) words.push('--identity', path.resolve(identity));
	if (signers !== undefined) words.push('--signers', path.resolve(signers));
	return fetchCommand(words.map(shellWord).join(' '), base);
}

function targetOf({ until, lsn, restorePoint, baseOnly }: Parameters<typeof planCluster>[2]): RecoveryTarget {
	const targets: RecoveryTarget[] = [
		...(until ? [{ kind: 'time', time: until } as const] : []),
		...(lsn === undefined ? [] : [{ kind: 'lsn', lsn } as const]),
		...(restorePoint === undefined ? [] : [{ kind: 'name', name: restorePoint } as const]),
		...(baseOnly ? [{ kind: 'base' } as const] : []),
	];
	if (targets.length <= 1) return targets[0] ?? { kind: 'newest' };
	throw new BackupError('invalid-input', 'more than one moment is given', {
		hint: 'Give one of --until, --lsn, --restore-point and --base-only, or none for the newest moment.',
	});
}

function readMapping(text: string): [string, string] {
	const [old, fresh, ...more] = text.split('=');
	if (old && fresh && more.length === 0) return [old, path.resolve(fresh)];
	throw new BackupError('invalid-input', `invalid value for --tablespace: ${text}`, {
		hint: 'Write the old folder and the new one: /srv/fast=/srv/restored-fast.',
	});
}
