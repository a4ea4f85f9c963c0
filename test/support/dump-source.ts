/** Sources whose only data is one stream, as a dump of a database is, without a database. */
import { Readable } from 'node:stream';
import type { OpenSource, SourceDetails } from '../../core/sources/source';

export interface GivenDump {
	server?: string | null;
	body: Readable;
	recycle?: (chunk: Buffer) => void;
	/** @default 'dump.sql' */
	objectName?: string;
	/** Called when the body was stored. */
	finish?: () => Promise<{ details?: SourceDetails; contents?: object; globals?: string; warnings?: string[] }>;
	close?: () => Promise<void>;
}

/** An open source that gives a dump, roles where there are any, and contents. */
export function openDump({ server, body, recycle, objectName = 'dump.sql', ...given }: GivenDump): OpenSource {
	let facts = { details: {} as SourceDetails, warnings: [] as string[] };
	return {
		server,
		async *parts() {
			yield { role: 'data', name: objectName, body, recycle };
			const { contents = { format: 1, tables: [] }, globals, details, warnings } = (await given.finish?.()) ?? {};
			facts = { details: details ?? {}, warnings: warnings ?? [] };
			if (globals !== undefined) yield { role: 'globals', name: 'globals.sql', body: textBody(globals) };
			yield { role: 'contents', name: 'contents.json', body: textBody(`${JSON.stringify(contents, null, 1)}\n`) };
		},
		finish: async () => facts,
		close: given.close ?? (async () => undefined),
	};
}

function textBody(text: string): Readable {
	return Readable.from([Buffer.from(text)]);
}
