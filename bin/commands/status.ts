/** n8n-backup status and runs: whether each source could be restored right now, and what was done. */
import { writeFile, rename } from 'node:fs/promises';
import { BackupError } from '../../core/base/errors';
import { readRuns } from '../../core/records/journal/journal';
import { Repository } from '../../core/records/repository';
import { metricsOf } from '../../core/report/status/metrics';
import { renderWhole } from '../../core/report/status/page/page';
import { readStorage, unreachable } from '../../core/report/status/read';
import { type Expectation, judge, type Status, type Verdict } from '../../core/report/status/status';
import { sizeText } from '../../core/base/size-text';
import { spanText } from '../../core/report/status/ages';
import { parsePolicy } from '../../core/retention/policy';
import { openStorage } from '../../core/storage/create';
import {
	type AddCommand,
	type AuthorityOptions,
	repeated,
	readAuthority,
	SIGNERS_HELP,
	wholeNumberOption,
} from '../options';
import { EXIT, printJson, printLine } from '../output';

/** As Nagios and its kin have them. */
const NAGIOS: Record<Verdict | 'unknown', number> = { ok: 0, warning: 1, critical: 2, unknown: 3 };

interface StatusOptions extends AuthorityOptions {
	storage: string[];
	expect?: string[];
	policy?: string[];
	capacity?: string[];
	rpo?: string;
	rto?: string;
	json?: boolean;
	html?: boolean;
	metrics?: boolean;
	textfile?: string;
}

interface RunsOptions {
	storage: string;
	group?: string;
	days: string;
	json?: boolean;
}

export const statusCommand: AddCommand = (program, run) => {
	program
		.command('status')
		.description('say whether each source could be restored right now, and what to do where not')
		.requiredOption('--storage <url>', 'where backups are made; more of them hold copies; may be repeated', repeated)
		.option('--expect <group=hours>', 'how often a group is backed up; may be repeated, with patterns', repeated)
		.option('--policy <group=policy>', 'what the group keeps, e.g. *=thirtyDays: shows what expires next', repeated)
		.option('--capacity <gb>', 'what fits into each storage, in their order, GB', repeated)
		.option('--rpo <hours>', 'data that may be lost at most')
		.option('--rto <minutes>', 'how long a restore may take')
		.option('--signers <file>', SIGNERS_HELP)
		.option('--html', 'print the dashboard with all its pages as one document')
		.option('--metrics', 'print metrics for Prometheus')
		.option('--textfile <file>', 'write metrics for the textfile collector of node_exporter')
		.option('--json', 'print all of it')
		.addHelpText('after', '\nExit codes: 0 ok, 1 warning, 2 critical, 3 unknown.')
		.action(run(status));
};

export const runsCommand: AddCommand = (program, run) => {
	program
		.command('runs')
		.description('list what was done, from the journal')
		.requiredOption('--storage <url>', 'where the journal is')
		.option('--group <group>', 'only of this group')
		.option('--days <n>', 'how far back', '3')
		.option('--json', 'print an array of objects')
		.action(run(runs));
};

async function status(options: StatusOptions, signal: AbortSignal): Promise<number> {
	try {
		const found = await readAll(options, signal);
		if (options.metrics) process.stdout.write(await metricsOf(found));
		else if (options.html) process.stdout.write(renderWhole(found, { timeZone: localZone() }));
		else if (options.json) printJson(found);
		else printStatus(found);
		if (options.textfile !== undefined) await writeTextfile(options.textfile, await metricsOf(found));
		return NAGIOS[found.verdict];
	} catch (error) {
		if (!(error instanceof BackupError)) throw error;
		printLine(`UNKNOWN - ${error.message}`);
		if (error.hint) printLine(`  ${error.hint}`);
		return NAGIOS.unknown;
	}
}

async function readAll(options: StatusOptions, signal: AbortSignal): Promise<Status> {
	const now = new Date();
	const authority = await readAuthority(options);
	const request = {
		now,
		expectations: (options.expect ?? []).map(parseExpectation),
		policies: (options.policy ?? []).map((text) => {
			const { group, value } = pair('--policy', text);
			return { group, policy: parsePolicy(value) };
		}),
		capacities: (options.capacity ?? []).map((text) => wholeNumberOption('--capacity', text, 1, 10_000_000) * 1e9),
		targets: {
			rpoMs: options.rpo === undefined ? null : wholeNumberOption('--rpo', options.rpo, 1, 100_000) * 3_600_000,
			rtoMs: options.rto === undefined ? null : wholeNumberOption('--rto', options.rto, 1, 1_000_000) * 60_000,
		},
	};
	const facts = [];
	for (const url of options.storage) {
		const storage = openStorage(url, process.env);
		try {
			facts.push(await readStorage(await Repository.open(storage, { signal, authority }), { now, signal }));
		} catch (error) {
			// One of several: what the others say is worth knowing.
			if (signal.aborted || options.storage.length === 1) throw error;
			facts.push(unreachable(storage.location, error, now));
		} finally {
			await storage.close();
		}
	}
	return judge(facts, request);
}

/** Times on the page are this machine's. */
function localZone(): string {
	return new Intl.DateTimeFormat('en').resolvedOptions().timeZone;
}

function parseExpectation(text: string): Expectation {
	if (!text.includes('=')) return { group: text, everyHours: null };
	const { group, value } = pair('--expect', text);
	return { group, everyHours: wholeNumberOption('--expect', value, 1, 100_000) };
}

function pair(option: string, text: string): { group: string; value: string } {
	const at = text.indexOf('=');
	if (at > 0) return { group: text.slice(0, at), value: text.slice(at + 1) };
	throw new BackupError('invalid-input', `invalid value for ${option}: ${text}`, {
		hint: `Write a group or a pattern, an equals sign and the value, e.g. ${option === '--policy' ? 'postgres/*=critical' : 'postgres/*=26'}.`,
	});
}

/** A plugin's answer: one line first, then what is wrong, worst first. */
function printStatus({ verdict, sentence, groups, storages, running, at }: Status): void {
	printLine(`${verdict.toUpperCase()} - ${sentence}`);
	for (const { group, reasons, newest, proved } of groups) {
		const age = (time: number) => spanText(Date.parse(at) - time);
		const proof = proved ? `proved (${proved.depth}) ${age(proved.startedAt)} old` : 'none proved';
		printLine(`${group}: ${newest ? `newest backup ${age(newest.at)} old, ${proof}` : 'no backup'}`);
		for (const { severity, text, todo } of reasons) printLine(`  ${severity}: ${text}. ${todo}`);
	}
	for (const { location, usedBytes, freeBytes, daysUntilFull, reasons } of storages) {
		const free = freeBytes === null ? '' : `, ${sizeText(freeBytes)} free`;
		const full = daysUntilFull === null ? '' : `, full in about ${Math.floor(daysUntilFull)} days`;
		printLine(`${location}: ${sizeText(usedBytes)} used${free}${full}`);
		for (const { severity, text, todo } of reasons) printLine(`  ${severity}: ${text}. ${todo}`);
	}
	for (const { verb, group, phase, bytes } of running) {
		printLine(`running: ${verb} ${group ?? ''} ${phase ?? ''} ${bytes === null ? '' : sizeText(bytes)}`.trimEnd());
	}
}

/** Whole or not at all: the collector may read at any moment. */
async function writeTextfile(file: string, text: string): Promise<void> {
	try {
		await writeFile(`${file}.part`, text);
		await rename(`${file}.part`, file);
	} catch (cause) {
		throw new BackupError('invalid-input', `${file} cannot be written`, {
			hint: 'Name a file in a folder that exists and that you may write to.',
			cause,
		});
	}
}

async function runs({ storage: url, group, days, json }: RunsOptions, signal: AbortSignal): Promise<number> {
	const storage = openStorage(url, process.env);
	try {
		const { storage: limited } = await Repository.open(storage, { signal });
		const from = new Date(Date.now() - wholeNumberOption('--days', days, 1, 3650) * 86_400_000);
		const all = await readRuns(limited, { from, to: new Date(Date.now() + 86_400_000), signal });
		const wanted = all.filter((run) => group === undefined || run.group === group);
		if (json) printJson(wanted);
		else {
			for (const { startedAt, state, verb, group: about, label, code, progress } of wanted) {
				const what = [about, label].filter((each) => each !== null).join('/');
				const how = progress ? `${progress.phase} ${sizeText(progress.bytes)}` : (code ?? '');
				printLine(`${startedAt.slice(0, 19)}Z  ${state.padEnd(9)}  ${verb.padEnd(8)}  ${what}  ${how}`.trimEnd());
			}
			if (wanted.length === 0) printLine(`no runs in the last ${days} days`);
		}
		return EXIT.ok;
	} finally {
		await storage.close();
	}
}
