/**
 * What plans say, word for word: a scenario each, held by test/retention/golden/<name>.txt. UPDATE_GOLDEN=1 writes them
 * anew; what changed is then to be read in the diff.
 */
import fs from 'node:fs';
import path from 'node:path';
import { type GroupPlan, planRetention } from '../../core/retention/plan';
import { parsePolicy } from '../../core/retention/policy';
import { SCENARIOS, type Scenario } from './scenarios';

const FOLDER = path.join(__dirname, 'golden');
describe('the reasons of a plan', () => {
	it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
		'are as in golden/%s.txt',
		(name, scenario) => {
			const file = path.join(FOLDER, `${name}.txt`);
			const text = toText(scenario);
			if (process.env.UPDATE_GOLDEN === '1') fs.writeFileSync(file, text);
			expect(text).toBe(fs.readFileSync(file, 'utf8'));
		},
	);

	it('are of scenarios that exist', () => {
		const names = SCENARIOS.map(({ name }) => `${name}.txt`);
		expect(fs.readdirSync(FOLDER).sort()).toEqual(names.sort());
	});
});

function toText({ title, policy, now, backups, contexts }: Scenario): string {
	const { groups } = planRetention(backups, parsePolicy(policy), new Date(now), contexts);
	return [title, `policy  ${policy}`, `now     ${minutes(new Date(now))} UTC`, '', ...groups.flatMap(groupLines)].join(
		'\n',
	);
}

function groupLines(plan: GroupPlan): string[] {
	const count = (wanted: string) => plan.backups.filter(({ action }) => action === wanted).length;
	const { nextExpiry } = plan;
	return [
		`${plan.group}: ${count('keep')} kept, ${count('expire')} expired`,
		...(nextExpiry ? [`next to go: ${nextExpiry.label}, not before ${minutes(nextExpiry.at)}`] : []),
		...plan.blocked.flatMap(({ risk, message, hint }) => [`blocked, ${risk}: ${message}`, `  ${hint}`]),
		...plan.warnings.map((warning) => `warning: ${warning}`),
		...tableLines(plan),
		'',
	];
}

/** Neighbours with the same fate and the same words are one line. */
function tableLines({ backups }: GroupPlan): string[] {
	const rows = backups.map(({ label, action, keptUntil, reasons }) => ({
		label,
		words: `${action.padEnd(6)}  ${keptUntil ? minutes(keptUntil) : '-'.padEnd(16)}  ${reasons.join('; ')}`,
	}));
	const width = Math.max(...rows.map(({ label }) => label.length));
	const lines: string[] = [];
	for (let at = 0; at < rows.length; ) {
		const { words } = rows[at]!;
		const end = rows.findIndex((row, later) => later > at && row.words !== words);
		const run = rows.slice(at, end === -1 ? rows.length : end);
		const folded = run.length > 1 ? ` (${run.length}, to ${run.at(-1)!.label})` : '';
		lines.push(`${run[0]!.label.padEnd(width)}  ${words}${folded}`);
		at += run.length;
	}
	return [`${'label'.padEnd(width)}  action  kept until (UTC)  reasons`, ...lines];
}

/** `2026-11-20 02:30`, in UTC. */
function minutes(time: Date): string {
	return time.toISOString().slice(0, 16).replace('T', ' ');
}
