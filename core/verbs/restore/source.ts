/** A backup as a restore needs it: looked at, proved to open, and ready to be read. */
import type { Readable } from 'node:stream';
import { collect } from '../../base/collect';
import { BackupError } from '../../base/errors';
import type { DecryptionKeys } from '../../codecs/age/age';
import type { Manifest } from '../../records/manifest';
import { openStream } from '../../streams/pipeline';
import type { DatabaseFacts } from '../../sources/postgres/dump/contents';
import { readStart } from '../../sources/postgres/dump/custom-archive';
import { MAX_GLOBALS_BYTES } from '../../sources/postgres/dump/globals';
import { assertNativeRestore } from '../../sources/postgres/restore/native';
import { keysFor, readContents } from '../../sources/postgres/restore/read-contents';
import type { RewriteRules } from '../../sources/postgres/replay/rewrite';
import { type Repository } from '../../records/repository';
import { objectKey } from '../../records/layout';

export interface OpenedBackup {
	manifest: Manifest;
	contents: DatabaseFacts;
	format: 'plain' | 'custom';
	/** The roles of its server, as SQL; null when they are not wanted. */
	globals: string | null;
	/** The dump. Ends only when every byte was proved. */
	open: () => Promise<Readable>;
}

export interface SourceRequest {
	repository: Repository;
	group: string;
	label: string;
	keys: DecryptionKeys | null;
	rules: RewriteRules;
	nativePath?: string;
	globals?: boolean;
	signal: AbortSignal;
}

/**
 * Reads everything of a backup but the dump itself, and the beginning of that.
 * @throws BackupError 'not-found', 'invalid-manifest', 'wrong-identity', 'damaged', 'engine-not-found', 'unsupported', …
 */
export async function openForRestore(request: SourceRequest, stallTimeoutMs: number): Promise<OpenedBackup> {
	const { repository, group, label, signal } = request;
	const { storage } = repository;
	const manifest = await repository.readManifest(group, label, signal);
	const contents = await readContents(repository, manifest, request.keys, { signal, stallTimeoutMs });
	const keys = keysFor(manifest, request.keys);
	const common = { storage, group, label, keys, signal, stallTimeoutMs };
	const open = async () => await openStream({ ...common, stream: manifest.object });

	const key = objectKey(group, label, manifest.object.name);
	const stored = await storage.stat(key);
	if (stored?.size !== manifest.object.stored.bytes) {
		const found = stored ? `has ${stored.size} instead of ${manifest.object.stored.bytes} bytes` : 'is missing';
		throw new BackupError(stored ? 'damaged' : 'not-found', `${storage.location}/${key} ${found}`, {
			hint: 'The object was removed or changed after the backup was made. Use another backup.',
		});
	}
	// The first bytes prove that the key fits before anything is written.
	const start = await readStart(await open());
	const format = manifest.source.format === 'custom' ? 'custom' : 'plain';
	if (format === 'custom') {
		await assertNativeRestore(request.nativePath ?? 'pg_restore', request.rules, start);
	}
	if (request.globals && !manifest.globals) {
		throw new BackupError('not-found', `${group}/${label} was made without the roles of its server`, {
			hint: 'Restore without them: create the roles by hand, or drop owners and privileges.',
		});
	}
	const globals =
		request.globals && manifest.globals
			? await readGlobals(await openStream({ ...common, stream: manifest.globals }), `${group}/${label}`)
			: null;
	return { manifest, contents, format, globals, open };
}

async function readGlobals(body: Readable, backup: string): Promise<string> {
	const tooLarge = () =>
		new BackupError('damaged', `the roles of ${backup} are larger than any this program writes`, {
			hint: 'Look at who else writes to this storage, or restore without the roles.',
		});
	return (await collect(body, MAX_GLOBALS_BYTES, tooLarge)).toString('utf8');
}
