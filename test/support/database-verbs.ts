/** The verbs as tests of databases use them: flat requests, and reading a source without storing it. */
import type { Depth } from '../../core/records/evidence';
import type { DatabaseFacts } from '../../core/sources/postgres/dump/contents';
import { type DrillOptions, postgresDrill } from '../../core/sources/postgres/drill/drill';
import {
	type DatabaseRestoreOptions,
	postgresRestorer,
	type RestoredDatabase,
} from '../../core/sources/postgres/restore/restorer';
import type { OpenSource, Source } from '../../core/sources/source';
import { restoreBackup } from '../../core/verbs/restore/restore';
import type { RestoreRequest, RestoreResult } from '../../core/verbs/restore/types';
import type { VerifyRequest } from '../../core/verbs/verify/types';

export type DatabaseRestoreRequest = Omit<RestoreRequest<RestoredDatabase>, 'restorer'> & DatabaseRestoreOptions;

export async function restoreDatabase(request: DatabaseRestoreRequest): Promise<RestoreResult<RestoredDatabase>> {
	return await restoreBackup({ ...request, restorer: postgresRestorer(request) });
}

/** A change to a request for a verification, with what its drill needs. */
export type DrillChange = Partial<VerifyRequest> & Partial<DrillOptions>;

/** Takes what a drill needs out of a change, and puts the drill in where the depth asks for one. */
export function withDrill(
	{ scratch, assertions, rules, allow, nativePath, ...change }: DrillChange,
	depth: Depth = 'restored',
): Partial<VerifyRequest> {
	if (!scratch || depth !== 'restored') return change;
	return { ...change, drills: [postgresDrill({ scratch, assertions, rules, allow, nativePath })] };
}

/** Opens a source for a full backup. */
export async function openFull(source: Source, signal = new AbortController().signal): Promise<OpenSource> {
	return (await source.open({ signal, base: null, previous: null }))!;
}

/** Everything that a source of a database gives. */
export async function readSource(open: OpenSource) {
	const parts = new Map<string, Buffer>();
	for await (const { name, body, recycle } of open.parts()) {
		const chunks: Buffer[] = [];
		for await (const chunk of body as AsyncIterable<Buffer>) {
			chunks.push(Buffer.from(chunk));
			recycle?.(chunk);
		}
		parts.set(name, Buffer.concat(chunks));
	}
	const facts = await open.finish();
	const contents = JSON.parse(parts.get('contents.json')!.toString()) as DatabaseFacts;
	return { ...facts, contents, globals: parts.get('globals.sql')?.toString(), dump: [...parts.values()][0]! };
}
