/** Workers killed with -9 at any moment, again and again: what is a backup stays one, and nobody is locked out. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkJournal, readRuns } from '../../../core/records/journal/journal';
import { removeStaleLocks } from '../../../core/records/locks/lock';
import { Repository } from '../../../core/records/repository';
import { createStorage } from '../../../core/storage/create';
import { keysBesideJournal } from '../../support/journal';
import type { RunOrder } from '../../support/run-process';
import { type Said, startRun } from '../../support/run-processes';
import { goesOn, rounds, tell } from '../../support/soak';
import { makeTinyBackup, wholeBackups } from '../../support/tiny-backups';

const GROUP = 'postgres/shop';
const DAY_MS = 24 * 3_600_000;
let folder: string;
beforeEach(() => {
	folder = fs.mkdtempSync(path.join(os.tmpdir(), 'killed-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

const span = () => ({ from: new Date(Date.now() - DAY_MS), to: new Date(Date.now() + DAY_MS) });
const labelsOf = (said: Said[]) => said.flatMap(({ made }) => made ?? []);

describe('a worker killed and restarted', () => {
	const KILLS = rounds(15, 300);
	const AT_ONCE = 3;

	it(
		`${KILLS} times at any moment leaves a lock that is broken at once, whole backups, and a whole journal`,
		async () => {
			const config = { type: 'folder', path: folder } as const;
			const storage = createStorage(config);
			await Repository.open(storage, { create: true });
			const known = new Set<string>();
			const kept = new Set<string>();
			let broken = 0;
			for (let round = 0; goesOn(round, KILLS / AT_ONCE, broken); round++) {
				const order: RunOrder = { storage: config, group: GROUP, mode: 'backups', forMs: 60_000, lockWaitMs: 60_000 };
				const workers = Array.from({ length: AT_ONCE }, () => startRun(order));
				await Promise.race(workers.map(({ first }) => first));
				for (const { child } of workers) {
					await delay(Math.random() * 60);
					expect(child.exitCode).toBeNull();
					child.kill('SIGKILL');
				}
				for (const { gone } of workers) for (const label of labelsOf(await gone)) kept.add(label);
				const { label, warnings } = await makeTinyBackup(storage, GROUP);
				kept.add(label);
				if (
					warnings.some((text) => /^broke the lock of \S+ \(process \d+, backup\) since .*no longer exists$/.test(text))
				) {
					broken++;
				}
				const listed = await wholeBackups(storage, GROUP, known);
				expect([...kept].filter((one) => !listed.includes(one))).toEqual([]);
			}
			tell(`kept ${kept.size} backups, and broke ${broken} locks of killed workers`);
			expect(broken).toBeGreaterThan(0);
			expect(await checkJournal(storage, span())).toEqual([]);
			const states = (await readRuns(storage, span())).map(({ state }) => state);
			expect(new Set(states)).toEqual(new Set(['ok', 'lost']));
			// Heartbeats and marks of killed processes that nobody came across are found by prune.
			await removeStaleLocks(storage, { staleAfterMs: 0 });
			expect((await keysBesideJournal(storage)).filter((key) => key.startsWith('locks/'))).toEqual([]);
			await storage.close();
		},
		60_000 + KILLS * 15_000,
	);
});
