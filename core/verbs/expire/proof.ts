/**
 * A plan that stands on what was read, not on names alone. It is made from names first; then what it relies on is read, and
 * it is made anew without what turned out to be no more than a name, until nothing changes any more. So very many backups
 * need one listing, and only those that stay in the place of others are read. A plan that removes nothing needs no proof.
 */
import { inParallel } from '../../base/in-parallel';
import { isApproved, openLosses } from '../../records/approval';
import { prove } from '../../records/proof';
import type { Repository } from '../../records/repository';
import { AHEAD_MS } from '../../records/label';
import { type GroupPlan, planGroups } from '../../retention/plan';
import { type GroupContext } from '../../retention/facts';
import { type BackupFacts } from '../../retention/facts';
import type { RetentionPolicy } from '../../retention/policy';

/** Backups read at the same time. */
const READERS = 16;

interface ProofOptions {
	policy: RetentionPolicy;
	now: Date;
	context: GroupContext;
	signal: AbortSignal;
}

/**
 * Plans for the backups of one group.
 * @param facts at least one
 * @returns the plan, and the facts as they are known now
 * @throws BackupError of the storage: what cannot be looked at is no reason to remove anything
 */
export async function planProved(
	repository: Repository,
	facts: readonly BackupFacts[],
	{ policy, now, context, signal }: ProofOptions,
): Promise<{ plan: GroupPlan; facts: readonly BackupFacts[] }> {
	const { group } = facts[0]!;
	const known = new Map(facts.map((each) => [each.label, each]));
	const looked = new Set<string>();
	const unreadable = new Map<string, string>();
	const unreadableEvidence = new Map<string, string>();
	for (;;) {
		const contexts = new Map([[group, { ...context, unreadable, unreadableEvidence }]]);
		const current = [...known.values()];
		const [{ plan, reliedOn }] = planGroups(current, policy, now, contexts) as [ReturnType<typeof planGroups>[0]];
		const removes = plan.backups.some(({ action }) => action === 'expire');
		const open = removes ? reliedOn.filter((label) => !looked.has(label)) : [];
		if (open.length === 0) return { plan, facts: current };
		let isAsNamed = true;
		await inParallel(open, READERS, async (label) => {
			looked.add(label);
			let entry = known.get(label)!;
			if (entry.approved && !(await isApproved(repository, entry, signal))) {
				known.set(label, (entry = { ...entry, approved: false }));
				isAsNamed = false;
			}
			const proof = await prove(repository, entry, now.getTime() + AHEAD_MS, signal);
			if (!proof.readable) unreadable.set(label, proof.why);
			else if (proof.discredited !== null) unreadableEvidence.set(label, proof.discredited);
			if (!proof.readable || proof.discredited !== null) isAsNamed = false;
			if (!proof.readable) return;
			const shrunk = await openLosses(repository, proof.manifest, facts, signal);
			known.set(label, { ...entry, verifications: proof.verifications, ...(shrunk.length > 0 && { shrunk }) });
			if (shrunk.length > 0) isAsNamed = false;
		});
		if (isAsNamed) return { plan, facts: current };
	}
}
