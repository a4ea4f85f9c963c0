/** n8n-backup expire: what a retention policy keeps and expires; with --apply it removes the expired. */
import { counted } from '../../core/base/counted';
import { Option } from 'commander';
import { BackupError, isBackupError } from '../../core/base/errors';
import {
	applyRetention,
	FailedRuns,
	heldBack,
	type RetentionRequest,
	type RetentionResult,
	surveyRetention,
} from '../../core/verbs/expire/expire';
import { assertGroup } from '../../core/records/label';
import { Repository } from '../../core/records/repository';
import type { GroupPlan } from '../../core/retention/plan';
import { timeText } from '../../core/retention/reasons';
import { parsePolicy, type RetentionPolicy, type Risk, RISKS } from '../../core/retention/policy';
import { sizeText } from '../../core/base/size-text';
import { openStorage } from '../../core/storage/create';
import type { Protection } from '../../core/storage/storage';
import {
	type AddCommand,
	repeated,
	wholeNumberOption,
	type AuthorityOptions,
	readAuthority,
	SIGNERS_HELP,
} from '../options';
import { EXIT, printError, printJson, printLine, showProgress } from '../output';

interface ExpireOptions extends AuthorityOptions {
	storage: string;
	group?: string[];
	allGroups?: boolean;
	policy: string;
	allow?: string[];
	apply?: boolean;
	wait: string;
	extendProtection?: Protection['mode'];
	json?: boolean;
}

/** What became of one group. */
type Outcome =
	| ({ ok: true; applied: boolean } & RetentionResult)
	| { ok: false; group: string; error: string; code: string; hint: string | null };

export const expireCommand: AddCommand = (program, run) => {
	program
		.command('expire')
		.description('show which backups a policy keeps and why; with --apply, remove the others')
		.requiredOption('--storage <url>', 'where the backups are')
		.addOption(new Option('--group <group>', 'the backups of one source; may be repeated').argParser(repeated))
		.addOption(new Option('--all-groups', 'those of every source').conflicts('group'))
		.requiredOption('--policy <policy>', 'such as hourly=48,daily=30,weekly=12,monthly=12, or the name of a preset')
		.option('--allow <risk>', `remove although the newest backup is ${RISKS.join(', ')}; may be repeated`, repeated)
		.option('--apply', 'remove what expires; without it nothing is changed')
		.option('--wait <minutes>', 'how long to wait for another run in a group', '0')
		.addOption(
			new Option('--extend-protection <mode>', 'lock what is kept in S3 until the policy lets go of it').choices([
				'governance',
				'compliance',
			]),
		)
		.option('--signers <file>', SIGNERS_HELP)
		.option('--json', 'print an array with one result per group')
		.action(run(expire));
};

async function expire(options: ExpireOptions, signal: AbortSignal): Promise<number> {
	if (!options.group && !options.allGroups) {
		throw new BackupError('invalid-input', 'no group selected', {
			hint: 'Give --group, or --all-groups.',
		});
	}
	const policy = readPolicy(options);
	for (const group of options.group ?? []) assertGroup(group);
	const lockWaitMs = wholeNumberOption('--wait', options.wait, 0, 24 * 60) * 60_000;
	const authority = await readAuthority(options);
	const storage = openStorage(options.storage, process.env);
	try {
		const repository = await Repository.open(storage, { signal, authority });
		const results: Outcome[] = [];
		const failures: BackupError[] = [];
		const report = (outcome: Outcome) => {
			showProgress(null);
			results.push(outcome);
			if (!options.json && outcome.ok) print(outcome);
		};
		const onFailure = (error: BackupError) => {
			failures.push(error);
			showProgress(null);
			if (!options.json) printError(error, false);
		};
		if (options.apply) {
			const { extendProtection } = options;
			const failedRuns = new FailedRuns(storage);
			const common = { repository, policy, lockWaitMs, extendProtection, failedRuns, signal };
			for (const group of options.group ?? (await groupsOf(repository))) {
				report(await apply({ ...common, group }, onFailure));
			}
		} else {
			const planned = await surveyRetention({ repository, groups: options.group, policy, signal });
			for (const plan of planned.groups) report(asOutcome(plan));
			for (const { group, error } of planned.failures) report(failed(group, error, onFailure));
		}
		if (options.json) printJson(results.map(withDates));
		else if (results.length === 0) printLine('no backups');
		else if (!options.apply && results.some(({ ok }) => ok))
			printLine('This is the plan, and nothing was changed. Give --apply to remove what expires.');
		return exitCodeFor(failures);
	} finally {
		showProgress(null);
		await storage.close();
	}
}

function readPolicy({ policy: text, allow = [] }: ExpireOptions): RetentionPolicy {
	const policy = parsePolicy(text);
	const unknown = allow.find((risk) => !RISKS.includes(risk as Risk));
	if (unknown !== undefined) {
		throw new BackupError('invalid-input', `"${unknown}" is not a known risk`, {
			hint: `Give one of ${RISKS.join(', ')}.`,
		});
	}
	return { ...policy, allow: [...new Set([...(policy.allow ?? []), ...(allow as Risk[])])] };
}

/** Also those of which only the rest of a removal is left. */
async function groupsOf(repository: Repository): Promise<string[]> {
	const { backups, leftovers } = await repository.survey();
	const begun = leftovers.filter(({ expired }) => expired);
	return [...new Set([...backups, ...begun].map(({ group }) => group))].sort();
}

/** A group that fails is a result too: the others go on. */
async function apply(request: RetentionRequest, onFailure: (error: BackupError) => void): Promise<Outcome> {
	const { group } = request;
	try {
		const result = await applyRetention({
			...request,
			actor: { via: 'command line' },
			onProgress: ({ phase, removed, total, freedBytes }) =>
				showProgress(`${group}: ${phase}, ${removed} of ${total} backups, ${sizeText(freedBytes)}`),
		});
		return { ok: true, applied: true, ...result };
	} catch (error) {
		if (!isBackupError(error) || request.signal.aborted) throw error;
		return failed(group, error, onFailure);
	}
}

function failed(group: string, error: BackupError, onFailure: (error: BackupError) => void): Outcome {
	onFailure(new BackupError(error.code, `${group}: ${error.message}`, { hint: error.hint }));
	return { ok: false, group, error: error.message, code: error.code, hint: error.hint ?? null };
}

/** Times as people and other programs read them. */
function withDates(outcome: Outcome): object {
	if (!outcome.ok) return outcome;
	const backups = outcome.plan.backups.map(({ startedAt, ...each }) => ({ ...each, startedAt: new Date(startedAt) }));
	return { ...outcome, plan: { ...outcome.plan, backups } };
}

function asOutcome(plan: GroupPlan): Outcome {
	const nothing = { removed: [], freedBytes: 0, skipped: [], resumed: [], warnings: [] };
	return { ok: true, applied: false, group: plan.group, plan, ...nothing, held: heldBack(plan) };
}

function print(outcome: Extract<Outcome, { ok: true }>): void {
	const { group, plan, applied, removed, resumed, skipped, freedBytes, held, warnings } = outcome;
	printLine(group);
	for (const { action, label, reasons } of plan.backups) {
		printLine(`  ${action.padEnd(6)}  ${label}  ${reasons.join(', ')}`.trimEnd());
	}
	const expired = plan.backups.filter(({ action }) => action === 'expire').length;
	const kept = counted(plan.backups.length - expired, 'backup');
	printLine(
		applied
			? `  ${kept} kept (${sizeText(plan.keptBytes)}), ${removed.length} removed, ${sizeText(freedBytes)} freed`
			: `  ${kept} to keep (${sizeText(plan.keptBytes)}), ${expired} to expire, which frees ${sizeText(plan.freedBytes)}`,
	);
	if (plan.nextExpiry) printLine(`  next expiry: ${plan.nextExpiry.label}, ${timeText(plan.nextExpiry.at)}`);
	if (resumed.length > 0) printLine(`  finished the removal that an earlier run had begun: ${resumed.join(', ')}`);
	for (const { label, why } of skipped) printLine(`  left: ${label}: ${why}`);
	for (const { risk, message, hint } of plan.blocked) {
		printLine(`  blocked: ${message}`);
		printLine(`    ${hint}${risk === 'unreadable' ? '' : ` Allow it with --allow ${risk}.`}`);
	}
	if (held.backups > 0) printLine(`  held back: ${counted(held.backups, 'backup')}, ${sizeText(held.bytes)}`);
	for (const warning of new Set([...plan.warnings, ...warnings])) printLine(`  warning: ${warning}`);
}

function exitCodeFor(failures: readonly BackupError[]): number {
	if (failures.length === 0) return EXIT.ok;
	return failures.every(({ code }) => code === 'locked') ? EXIT.locked : EXIT.failed;
}
