/** Items of checks and of retention, with every field of the type it should have. */
import { amountOf, type Facts, factsOf, listOf, nameOf, textOf, textsOf } from './values';

export interface ReportedProblem {
	about: string;
	message: string;
	hint: string;
}

export interface ReportedCheck {
	/** How many databases were looked at. */
	databases: number;
	/** Findings that are not as they should be, of the server, the storage and each database. */
	problems: ReportedProblem[];
}

export interface Retained {
	group: string;
	policy: string;
	/** 'applied', 'planned', 'blocked', 'failed' */
	status: string;
	kept: number;
	/** How many go by the policy; those that were removed are in `removed`. */
	expired: number;
	held: number;
	keptBytes: number;
	freedBytes: number;
	removed: string[];
	resumed: string[];
	skipped: Array<{ label: string; why: string }>;
	blocked: Array<{ risk: string; message: string; hint: string }>;
	reasons: Array<{ label: string; action: string; reasons: string[] }>;
	next: { label: string; day: string } | null;
	/** Why it failed; '' where it did not. */
	message: string;
	hint: string;
	warnings: string[];
}

export interface Leftovers {
	/** Why they could not be looked for; '' where they were. */
	message: string;
	hint: string;
	removed: boolean;
	orphans: number;
	unfinished: number;
	staleLocks: number;
	freedBytes: number;
	unknown: { count: number; example: string };
}

/** A check without databases found nothing to back up, whatever else it found. */
export function readCheck(facts: Facts): ReportedCheck {
	const own = listOf(facts.findings).map((finding) => [nameOf(factsOf(finding).check), finding] as const);
	const databases = listOf(facts.databases).map(factsOf);
	const ofDatabases = databases.flatMap(({ database, findings }) =>
		listOf(findings).map((finding) => [nameOf(database), finding] as const),
	);
	const problems = [...own, ...ofDatabases].flatMap(([about, finding]) => {
		const { ok, message, hint } = factsOf(finding);
		return ok === true ? [] : [{ about: about || 'run', message: textOf(message), hint: textOf(hint) }];
	});
	if (databases.length === 0 && problems.length === 0) {
		problems.push({ about: 'run', message: 'there is no database to back up', hint: '' });
	}
	return { databases: databases.length, problems };
}

export function readRetained(facts: Facts, failed: boolean): Retained {
	const next = factsOf(facts.nextExpiry);
	return {
		...{ group: nameOf(facts.group), policy: nameOf(facts.policy) },
		status: failed ? 'failed' : nameOf(facts.status),
		...{ kept: amountOf(facts.kept), expired: amountOf(facts.expired), held: amountOf(facts.held) },
		...{ keptBytes: amountOf(facts.keptBytes), freedBytes: amountOf(facts.freedBytes) },
		...{ removed: textsOf(facts.removed), resumed: textsOf(facts.resumed) },
		skipped: listOf(facts.skipped).map((each) => {
			const { label, why } = factsOf(each);
			return { label: nameOf(label), why: nameOf(why) };
		}),
		blocked: listOf(facts.blocked).map((each) => {
			const { risk, message, hint } = factsOf(each);
			return { risk: nameOf(risk), message: textOf(message), hint: textOf(hint) };
		}),
		reasons: listOf(facts.reasons).map((each) => {
			const { label, action, reasons } = factsOf(each);
			return { label: nameOf(label), action: nameOf(action), reasons: textsOf(reasons) };
		}),
		next: nameOf(next.label) === '' ? null : { label: nameOf(next.label), day: nameOf(next.at).slice(0, 10) },
		...{ message: failed ? textOf(facts.message) : '', hint: textOf(facts.hint) },
		warnings: textsOf(facts.warnings),
	};
}

export function readLeftovers(facts: Facts, failed: boolean): Leftovers {
	const unknown = factsOf(facts.unknown);
	return {
		...{ message: failed ? textOf(facts.message) : '', hint: textOf(facts.hint) },
		removed: facts.status === 'removed',
		orphans: listOf(facts.orphans).length,
		unfinished: amountOf(facts.unfinished),
		staleLocks: listOf(facts.staleLocks).length,
		freedBytes: amountOf(facts.freedBytes),
		unknown: { count: amountOf(unknown.count), example: nameOf(listOf(unknown.keys)[0]) },
	};
}
