/**
 * Replays a dump in a process of its own, and says how much memory that took at most, in bytes:
 *
 *   REPLAY_TARGET='{"host":…}' node --require ./typescript.cjs replay-file.ts dump.sql
 */
import { createReadStream } from 'node:fs';
import { replay } from '../../core/sources/postgres/replay/replay';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';

async function main(): Promise<void> {
	const target = JSON.parse(process.env.REPLAY_TARGET!) as DatabaseTarget;
	const { rows } = await replay(createReadStream(process.argv[2]!), target, { signal: new AbortController().signal });
	process.stdout.write(JSON.stringify({ rows, peakBytes: process.resourceUsage().maxRSS * 1024 }));
}

void main();
