/** `n8n-backup expire --apply`, killed with -9 at random moments: nothing kept is lost, and nothing is half there. */
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { applyRetention } from '../../../core/verbs/expire/expire';
import { Repository } from '../../../core/records/repository';
import { FolderStorage } from '../../../core/storage/folder/folder';
import { parsePolicy } from '../../../core/retention/policy';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { type CompiledProgram, compileProgram } from '../../support/compiled-program';
import { GROUP } from '../../support/build-backup';
import { addBackup, NEVER } from '../../support/dated-backups';
import { goesOn, rounds, tell } from '../../support/soak';
import { filesBelow } from '../../support/stored-files';

const ROUNDS = rounds(16, 400);
const POLICY = 'last=4,minimum=1';
const DAY_MS = 24 * 3_600_000;

let program: CompiledProgram;
let base: string;
let kept: string[];
let all: string[];
beforeAll(async () => {
	program = compileProgram();
	// A process that ends well leaves what it compiled to those that are killed.
	await once(program.start(['--help']), 'exit');
	// A killed process takes no file along: a folder in memory proves the same, many times faster.
	const memory = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
	base = fs.mkdtempSync(path.join(memory, 'expire-killed-'));
	fs.mkdirSync(template());
	const repository = await Repository.open(new FolderStorage({ path: template() }), { create: true });
	const day = (daysAgo: number) => new Date(Date.now() - daysAgo * DAY_MS).toISOString();
	all = [];
	for (let daysAgo = 20; daysAgo > 0; daysAgo--) {
		// Some chains among them: no part of one may be missing.
		const parent = daysAgo % 4 === 0 ? all.at(-1) : undefined;
		const chain = parent === undefined ? {} : { type: 'incremental' as const, parents: [parent] };
		all.push(await addBackup(repository, { at: day(daysAgo), ...chain }));
	}
	kept = all.slice(-5);
}, 120_000);
afterAll(() => {
	program.remove();
	fs.rmSync(base, { recursive: true, force: true });
});

const template = () => path.join(base, 'template');

/** Files of backups, by label, as they lie below a folder. */
function filesOf(folder: string): Map<string, string[]> {
	const found = new Map<string, string[]>();
	for (const file of filesBelow(path.join(folder, GROUP))) {
		const [label] = file.split('/');
		found.set(label!, [...(found.get(label!) ?? []), file]);
	}
	return found;
}

/** @returns how many backups were gone, and whether one was just being removed */
function look(folder: string): { gone: number; half: number } {
	const whole = filesOf(template());
	const now = filesOf(folder);
	let half = 0;
	for (const [label, files] of now) {
		const hasManifest = files.includes(`${label}/manifest.json`);
		if (!hasManifest) {
			// Not a backup any more, and it says what it is.
			expect(files).toContain(`${label}/expired.json`);
			expect(kept).not.toContain(label);
			half++;
			continue;
		}
		if (files.includes(`${label}/expired.json`)) half++;
		for (const file of whole.get(label)!) {
			const [was, is] = [template(), folder].map((where) => fs.readFileSync(path.join(where, GROUP, file)));
			expect(is!.equals(was!)).toBe(true);
		}
	}
	expect([...now.keys()]).toEqual(expect.arrayContaining(kept));
	return { gone: all.length - now.size, half };
}

/** Kills the program some time after it has taken the group's lock. */
async function killAfter(ms: number, folder: string): Promise<void> {
	const args = ['expire', '--storage', `file://${folder}`, '--group', GROUP, '--policy', POLICY, '--apply', '--json'];
	const child = program.start(args);
	const ended = once(child, 'exit');
	const lock = path.join(folder, `locks/${GROUP}.json`);
	while (!fs.existsSync(lock) && child.exitCode === null) await delay(1);
	await Promise.race([delay(ms), ended]);
	child.kill('SIGKILL');
	await ended;
	expect([null, 0]).toContain(child.exitCode);
}

it(
	`expire --apply killed ${ROUNDS} times: every kept backup verifies, none is half there, the next apply finishes`,
	async () => {
		const seen = { early: 0, between: 0, late: 0, half: 0 };
		// Until when a kill still comes in time is learned as we go: late ones make the next ones earlier.
		let longest = 100;
		for (let round = 0; goesOn(round, ROUNDS, seen.between); round++) {
			const folder = path.join(base, `round-${round}`);
			fs.cpSync(template(), folder, { recursive: true });
			// The removal comes last: rather late than early.
			await killAfter(Math.sqrt(Math.random()) * longest, folder);
			const { gone, half } = look(folder);
			seen.half += half;
			if (gone === 0 && half === 0) seen.early++;
			else if (gone === all.length - kept.length) seen.late++;
			else seen.between++;
			longest = Math.max(20, longest * (gone === all.length - kept.length ? 0.9 : 1.05));

			const repository = await Repository.open(new FolderStorage({ path: folder }));
			for (const label of kept) {
				const stored = { repository, group: GROUP, label, depth: 'stored' as const, keys: null, signal: NEVER };
				expect(await verifyBackup(stored)).toMatchObject({ label, outcome: 'ok' });
			}
			await applyRetention({ repository, group: GROUP, policy: parsePolicy(POLICY), signal: NEVER });
			const { backups, leftovers } = await repository.survey(GROUP);
			expect(backups.map(({ label }) => label)).toEqual(kept);
			expect(leftovers).toEqual([]);
			// A mark that was just being written is no object: the next backup, or prune, removes what is left of it.
			for await (const { key } of repository.storage.unfinished(`${GROUP}/`)) expect(key).toMatch(/\/expired\.json$/);
			expect(await repository.storage.stat(`locks/${GROUP}.json`)).toBeNull();
			fs.rmSync(folder, { recursive: true });
		}
		tell(`killed in the middle of a removal: ${JSON.stringify(seen)}`);
		// Else the test would prove nothing.
		expect(seen.between).toBeGreaterThan(0);
	},
	60_000 + ROUNDS * 30_000,
);
