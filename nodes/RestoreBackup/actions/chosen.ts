/** What all operations of Restore Backup do with the backup that was chosen. */
import type { IExecuteFunctions } from 'n8n-workflow';
import type { Restored, Restorer } from '../../../core/sources/source';
import { chooseForRestore, restoreBackup } from '../../../core/verbs/restore/restore';
import type { RestoreRequest, RestoreResult } from '../../../core/verbs/restore/types';
import { listSome } from '../../../core/records/list-some';
import type { Repository } from '../../../core/records/repository';
import { actorOf } from '../../shared/actor';
import { allowUnsigned, withRepository } from '../../shared/backups';
import { cancelSignal, progressLine } from '../../shared/run';
import { type ChosenBackupSettings, readBackupSettings } from '../settings';

/** A backup that was chosen, and how it is opened. */
export interface Chosen extends Omit<ChosenBackupSettings, 'choice' | 'allowUnsigned'> {
	repository: Repository;
	label: string;
	warnings: readonly string[];
	signal: AbortSignal;
}

/** Finds the backup that the fields name, and does something with it. */
export async function withChosen<T>(
	context: IExecuteFunctions,
	itemIndex: number,
	use: (chosen: Chosen) => Promise<T>,
): Promise<T> {
	const signal = cancelSignal(context);
	const { choice, allowUnsigned: isAllowed, ...settings } = await readBackupSettings(context, itemIndex);
	const { group } = settings;
	const named = choice.kind === 'label' ? { group, label: choice.label } : null;
	return await withRepository(context, itemIndex, signal, async (opened) => {
		const repository = allowUnsigned(opened, isAllowed, named);
		const { label, warnings } = await chooseForRestore(repository, await listSome(repository, [group]), choice, signal);
		return await use({ ...settings, repository, label, warnings, signal });
	});
}

/**
 * Restores it.
 * @param restorerOf what restores backups of a kind: a folder takes those of several
 * @param describe how far it is, for who watches
 */
export async function restoreChosen<Result extends Restored>(
	context: IExecuteFunctions,
	itemIndex: number,
	restorerOf: (kind: string) => Restorer<never, Result>,
	describe: (progress: Parameters<NonNullable<RestoreRequest<Result>['onProgress']>>[0]) => string,
): Promise<RestoreResult<Result>> {
	const show = progressLine(context);
	return await withChosen(context, itemIndex, async ({ warnings, ...chosen }) => {
		const { repository, group, label, signal } = chosen;
		const { source } = await repository.readManifest(group, label, signal);
		const restored = await restoreBackup({
			...chosen,
			restorer: restorerOf(source.kind),
			actor: actorOf(context, itemIndex),
			onProgress: (progress) => show(() => describe(progress)),
		});
		return { ...restored, warnings: [...warnings, ...restored.warnings] };
	});
}
