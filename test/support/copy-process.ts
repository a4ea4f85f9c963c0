/**
 * Copies all that a storage lacks in a process of its own, and says how much memory that took at most, in bytes:
 *
 *   COPY_FROM='{"type":"folder",…}' COPY_TO='{…}' node --require ./typescript.cjs copy-process.ts
 */
import { copyMissing } from '../../core/verbs/copy/copy';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { type StorageConfig } from '../../core/storage/config';

async function main(): Promise<void> {
	const [source, to] = [process.env.COPY_FROM!, process.env.COPY_TO!].map((text) =>
		createStorage(JSON.parse(text) as StorageConfig),
	);
	const from = await Repository.open(source!);
	const results = await copyMissing({ from, to: to!, signal: new AbortController().signal });
	const statuses = results.map(({ status }) => status);
	await source!.close();
	await to!.close();
	process.stdout.write(JSON.stringify({ statuses, peakBytes: process.resourceUsage().maxRSS * 1024 }));
}

void main();
