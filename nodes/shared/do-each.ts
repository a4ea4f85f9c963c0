/** Does something for each of the sources that an item of a node is about. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError, type ErrorCode, isBackupError } from '../../core/base/errors';
import { toErrorItem } from './errors';

/** One of the sources. */
export interface NamedSource {
	/** For people, e.g. the database. */
	name: string;
	/** Where it is, for the message of its failure. */
	place: string;
	group: string;
	/** For the item: what it is, also where it fails. */
	facts: IDataObject;
}

/** What the sources have in common. */
export interface Several<Of extends NamedSource> {
	sources: readonly Of[];
	/** For people: what several of them are, e.g. "databases". */
	noun: string;
	/** What is to be done with them. */
	done: 'backed up' | 'previewed';
	/** Of a failure that has none of its own. */
	code: ErrorCode;
	signal: AbortSignal;
}

/**
 * Does something for each source, and gives an item for each. One that fails does not stop the others; after all of them, it fails the
 * item of the node.
 * @param one gives the item; with a failure it goes to the error output
 * @throws BackupError of the source that failed, or of all of them; 'cancelled'
 */
export async function doEach<Of extends NamedSource>(
	context: IExecuteFunctions,
	itemIndex: number,
	several: Several<Of>,
	one: (source: Of) => Promise<{ json: IDataObject; failure?: BackupError | null }>,
): Promise<INodeExecutionData[]> {
	const items: INodeExecutionData[] = [];
	const failures: Array<{ source: Of; error: unknown }> = [];
	for (const source of several.sources) {
		try {
			const { json, failure } = await one(source);
			if (failure) {
				failures.push({ source, error: failure });
				items.push(toErrorItem(failure, itemIndex, json));
			} else items.push({ json, pairedItem: { item: itemIndex } });
		} catch (error) {
			if (several.signal.aborted) throw error;
			failures.push({ source, error });
			items.push(toErrorItem(error, itemIndex, { group: source.group, ...source.facts }));
		}
	}
	if (failures.length > 0 && !context.continueOnFail()) throw allFailures(failures, several);
	return items;
}

function allFailures<Of extends NamedSource>(
	failures: ReadonlyArray<{ source: Of; error: unknown }>,
	{ sources, noun, done, code }: Several<Of>,
): unknown {
	const [first] = failures;
	if (sources.length === 1 || !first) return first?.error;
	const each = failures.map(
		({ source, error }) => `${source.name}: ${error instanceof Error ? error.message : String(error)}`,
	);
	const known = isBackupError(first.error) ? first.error : null;
	const hint = known?.hint ? ` ${known.hint}` : '';
	return new BackupError(
		known?.code ?? code,
		`${failures.length} of ${sources.length} ${noun} could not be ${done}: ${each.join('; ')}`,
		{
			hint: `${done === 'backed up' ? 'Stored' : 'Previewed'} all the same: ${sources.length - failures.length}.${hint} (First: ${first.source.place})`,
			cause: first.error,
		},
	);
}
