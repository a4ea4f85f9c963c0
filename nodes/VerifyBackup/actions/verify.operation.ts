/** Verify Backup. One item out per backup: good ones, and on the error output bad ones and those nothing can be said of. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError, isBackupError, messageOf } from '../../../core/base/errors';
import { listSome } from '../../../core/records/list-some';
import type { Repository } from '../../../core/records/repository';
import { sizeText } from '../../../core/base/size-text';
import { lookIntoPartner } from '../../../core/verbs/look/partner';
import { chooseForVerification, newestReadable, verifyBackup } from '../../../core/verbs/verify/verify';
import { bucketDrill } from '../../../core/sources/bucket/restore';
import { filesDrill } from '../../../core/sources/files/restore/restorer';
import { n8nChecks, nothingToOpen } from '../../../core/sources/n8n/checks';
import { postgresDrill } from '../../../core/sources/postgres/drill/drill';
import { logBehind } from '../../../core/sources/postgres/physical/drill/log-behind';
import { openerOf } from '../../../core/verbs/restore/alongside';
import { type VerifyResult } from '../../../core/verbs/verify/types';
import { clusterDrill, logDrill } from '../../../core/sources/postgres/physical/drill/drill';
import { withoutReplayed } from '../../../core/sources/postgres/physical/groups';
import { actorOf } from '../../shared/actor';
import { allowUnsigned, withRepository } from '../../shared/backups';
import { toErrorItem } from '../../shared/errors';
import { cancelSignal, progressLine } from '../../shared/run';
import { verificationFacts } from '../../shared/verification-items';
import { readSettings, type VerifySettings } from '../settings';

/** Choices that leave nobody out: today's share, say, may well be without the backup that somebody has in mind. */
const NAMED: ReadonlySet<VerifySettings['choice']['kind']> = new Set(['label', 'group', 'newest']);

/** Verifies every chosen backup. One that is bad does not stop the others; after all of them, it fails the item. */
export async function verify(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = await readSettings(context, itemIndex);
	const { depth, keys, limits } = settings;
	const show = progressLine(context);
	const chosen = settings.choice.kind === 'label' ? settings.choice : null;
	return await withRepository(context, itemIndex, signal, async (opened) => {
		const repository = allowUnsigned(opened, settings.allowUnsigned, chosen);
		const { drills, n8n } = drillsOf(settings, repository, signal);
		const items: INodeExecutionData[] = [];
		const failures: Failure[] = [];
		for (const { group, label } of await choose(repository, settings, signal)) {
			const about = `${group}/${label}`;
			const fail = (error: unknown, facts: IDataObject, bad: boolean) => {
				failures.push({ about, error, bad });
				items.push(toErrorItem(error, itemIndex, facts));
			};
			try {
				const result = await verifyBackup({
					...{ repository, group, label, depth, keys, drills, limits, signal },
					actor: actorOf(context, itemIndex),
					onProgress: ({ phase, bytes, totalBytes }) =>
						show(() => `${about}: ${phase}, ${sizeText(bytes)} of ${sizeText(totalBytes)}`),
				});
				addHints(context, result);
				const facts = verificationFacts(result);
				if (result.outcome === 'bad') fail(toError(result), facts, true);
				else if (result.outcome === 'environment' && settings.failOnEnvironment) fail(toError(result), facts, false);
				else items.push({ json: facts, pairedItem: { item: itemIndex } });
			} catch (error) {
				if (signal.aborted || !isBackupError(error)) throw error;
				// There is no such backup, or nothing but leftovers of it, which proves nothing against any backup.
				fail(error, { ok: false, group, label, depth }, false);
			}
		}
		const allOk = items.length > 0 && items.every(({ json }) => json.ok === true);
		if (n8n?.done === 0 && allOk && NAMED.has(settings.choice.kind)) throw nothingToOpen(settings.n8n!);
		if (failures.length > 0 && !context.continueOnFail()) throw allFailures(failures, items.length);
		return items;
	});
}

/** One drill of each kind, and the checks of n8n's credentials where they were asked for. */
function drillsOf(
	{ drill, cluster, n8n: asked, keys, limits }: VerifySettings,
	repository: Repository,
	signal: AbortSignal,
) {
	if (!drill) return { drills: [] };
	const n8n =
		asked &&
		n8nChecks({
			...asked,
			withArchive: async (of, work) =>
				await lookIntoPartner({ repository, group: asked.group, of, keys, limits, signal }, work),
		});
	// Only who runs n8n may name a program to run, not who edits a workflow.
	const nativePath = process.env.N8N_BACKUP_PG_RESTORE;
	const drills = [
		postgresDrill({ ...drill, nativePath, checks: n8n && [n8n.database] }),
		filesDrill({ checks: n8n && [n8n.files] }),
		bucketDrill(),
		clusterDrill({
			logBehind: logBehind(repository, openerOf({ repository, keys }), cluster.moment),
			questions: { assertions: drill.assertions ?? [], database: cluster.database },
		}),
		logDrill(),
	];
	return { drills, n8n };
}

interface Failure {
	/** "group/label" */
	about: string;
	error: unknown;
	/** Whether the backup is what failed; otherwise nothing is known of it. */
	bad: boolean;
}

async function choose(
	repository: Repository,
	{ choice, depth }: VerifySettings,
	signal: AbortSignal,
): Promise<Array<{ group: string; label: string }>> {
	// Whether a named backup is there, and what is left of it if not, is for the verification to say.
	if (choice.kind === 'label') return [choice];
	if (choice.kind === 'group') {
		return await newestReadable(repository, await listSome(repository, [choice.group]), signal);
	}
	const listed = await listSome(repository, choice.groups);
	const entries = depth === 'restored' ? withoutReplayed(listed) : listed;
	if (choice.kind === 'newest') return await newestReadable(repository, entries, signal);
	return chooseForVerification(entries, choice, depth);
}

function toError({ code, message, hint, outcome }: VerifyResult): BackupError {
	return new BackupError(code ?? (outcome === 'bad' ? 'damaged' : 'restore-failed'), message, {
		hint: hint ?? undefined,
	});
}

function allFailures(failures: Failure[], total: number): unknown {
	const [first] = failures;
	const code = isBackupError(first?.error) ? first.error.code : 'restore-failed';
	const hint = isBackupError(first?.error) ? first.error.hint : undefined;
	const each = failures.map(({ about, error }) => `${about}: ${messageOf(error)}`).join('; ');
	if (total === 1) return new BackupError(code, each, { hint, cause: first?.error });
	const bad = failures.filter((failure) => failure.bad).length;
	const counts = [
		...(bad > 0 ? [`${bad} of ${total} backups ${bad === 1 ? 'is' : 'are'} bad`] : []),
		...(bad < failures.length ? [`${failures.length - bad} of ${total} could not be verified`] : []),
	];
	return new BackupError(code, `${counts.join(', ')}: ${each}`, { hint, cause: first?.error });
}

function addHints(context: IExecuteFunctions, { group, label, outcome, message, hint, warnings }: VerifyResult): void {
	const notVerified = outcome === 'environment' ? [`not verified: ${message}${hint ? `. ${hint}` : ''}`] : [];
	for (const warning of [...notVerified, ...warnings]) {
		context.addExecutionHints({
			message: `${group}/${label}: ${warning}`,
			type: 'warning',
			location: 'outputPane',
		});
	}
}
