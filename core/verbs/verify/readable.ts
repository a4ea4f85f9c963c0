/** Depth "readable": what is stored decrypts and decompresses to what the source gave, whole to its last word. */
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { BackupError } from '../../base/errors';
import type { DecryptionKeys } from '../../codecs/age/age';
import { recipientOf } from '../../codecs/age/keys';
import type { Manifest, StoredStream } from '../../records/manifest';
import { openStream } from '../../streams/pipeline';
import type { DatabaseFacts } from '../../sources/postgres/dump/contents';
import { HEADER_BYTES, readArchiveHeader } from '../../sources/postgres/dump/custom-archive';
import { readContents } from '../../sources/postgres/restore/read-contents';
import { DumpTail } from '../../sources/postgres/dump/trailer';
import { BadBackup, isSuspicious, USE_ANOTHER } from './failure';
import { proveStored, type Subject } from './stored';

/**
 * Reads everything to its end.
 * @returns the contents
 * @throws BadBackup as {@link proveStored}, and 'damaged', 'incomplete', 'wrong-identity' when what is stored as it was
 * written cannot be read; BackupError 'wrong-identity' when it is the key that does not belong to the backup
 */
export async function proveReadable(subject: Subject): Promise<DatabaseFacts> {
	if (subject.manifest.encryption && !subject.keys) {
		// What can be proved without a key is not left out.
		await proveStored(subject);
		throw noKey(subject.manifest);
	}
	return await twice(subject, () => readAll(subject));
}

/** The same of everything but the dump. */
export async function proveContents(subject: Subject): Promise<DatabaseFacts> {
	if (subject.manifest.encryption && !subject.keys) return await proveReadable(subject);
	return await twice(subject, () => readSmallParts(subject));
}

/** Reads; what fails for a reason that can be the backup's is the backup's only after a look at the bytes, and a second try. */
async function twice<T>(subject: Subject, read: () => Promise<T>): Promise<T> {
	let first: BackupError;
	try {
		return await read();
	} catch (error) {
		if (subject.signal.aborted || !isSuspicious(error)) throw error;
		first = error;
	}
	// A changed header looks like a wrong key: damage has the first word.
	await proveStored(subject);
	if (first.code === 'unsupported' || first.code === 'invalid-input') throw first;
	if (first.code === 'wrong-identity' && !(await belongs(subject.keys, subject.manifest))) throw first;
	try {
		const result = await read();
		subject.warn(
			`the backup could not be read at first (${first.message}), and then it could: look at the network, and at this machine’s memory`,
		);
		return result;
	} catch (error) {
		if (subject.signal.aborted || !isSuspicious(error)) throw error;
		const { code, message } = error;
		const hint = `Its bytes are as they were stored, so it was stored like this. ${USE_ANOTHER}`;
		throw new BadBackup(code, message, { hint, cause: error });
	}
}

async function readSmallParts(subject: Subject): Promise<DatabaseFacts> {
	const { repository, manifest, keys, signal, stallTimeoutMs } = subject;
	if (manifest.globals) await finished((await openStored(subject, manifest.globals)).resume());
	return await readContents(repository, manifest, keys, { signal, stallTimeoutMs });
}

async function readAll(subject: Subject): Promise<DatabaseFacts> {
	const { manifest } = subject;
	const contents = await readSmallParts(subject);
	const body = await openStored(subject, manifest.object, (bytes) =>
		subject.onProgress('readable', bytes, manifest.object.original.bytes),
	);
	const end = new DumpTail();
	const start: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of body as AsyncIterable<Buffer>) {
		if (bytes < HEADER_BYTES) start.push(Buffer.from(chunk.subarray(0, HEADER_BYTES)));
		end.add(chunk);
		bytes += chunk.length;
	}
	if (formatOf(manifest) === 'custom') readArchiveHeader(Buffer.concat(start));
	else if (!end.isComplete()) {
		throw new BackupError('incomplete', 'the dump has no proper end: pg_dump’s last words are missing');
	}
	return contents;
}

/** The original bytes of a part of the backup. Their end is the proof of all of them. */
export async function openStored(
	{ repository, manifest, keys, stallTimeoutMs, signal }: Subject,
	stream: StoredStream,
	onProgress?: (bytes: number) => void,
): Promise<Readable> {
	const { group, label, encryption } = manifest;
	return await openStream({
		storage: repository.storage,
		group,
		label,
		stream,
		keys: encryption ? keys : null,
		stallTimeoutMs,
		signal,
		onProgress,
	});
}

/** As pg_dump wrote it. */
export function formatOf({ source }: Manifest): 'plain' | 'custom' {
	return source.format === 'custom' ? 'custom' : 'plain';
}

/** Whether one of the identities is among those the manifest names. Of a passphrase, nobody can say. */
async function belongs(keys: DecryptionKeys | null, { encryption }: Manifest): Promise<boolean> {
	if (encryption?.method !== 'recipients') return false;
	const ours = await Promise.all((keys?.identities ?? []).map(recipientOf));
	return ours.some((recipient) => encryption.recipients.includes(recipient));
}

function noKey({ group, label }: Manifest): BackupError {
	return new BackupError(
		'wrong-identity',
		`${group}/${label} is stored as it was written, but no key is at hand to open it`,
		{
			hint: 'Verify it to depth "stored" here, or run n8n-backup verify with --identity where the identity is: its evidence counts here too.',
		},
	);
}
