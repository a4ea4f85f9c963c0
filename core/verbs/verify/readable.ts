/** Depth "readable": what is stored decrypts and decompresses to what the source gave, whole to its end. */
import { finished } from 'node:stream/promises';
import { BackupError } from '../../base/errors';
import type { DecryptionKeys } from '../../codecs/age/age';
import { recipientOf } from '../../codecs/age/keys';
import { dataSize, type Manifest, type StoredPart } from '../../records/manifest';
import { kindOf } from '../../sources/registry';
import type { OpenBackup } from '../../sources/source';
import { openBackup, openPart } from '../open-backup';
import { BadBackup, isSuspicious, USE_ANOTHER } from './failure';
import { proveStored, type VerifiedBackup } from './stored';

/**
 * Reads everything to its end.
 * @returns the backup, ready to be restored
 * @throws BadBackup as {@link proveStored}, and 'damaged', 'incomplete', 'wrong-identity' when what is stored as it was
 * written cannot be read; BackupError 'wrong-identity' when it is the key that does not belong to the backup
 */
export async function proveReadable(subject: VerifiedBackup): Promise<OpenBackup> {
	await assertKey(subject);
	return await twice(subject, async () => {
		const backup = await readSmallParts(subject);
		await readData(subject, backup);
		return backup;
	});
}

/** The same of everything but the data. */
export async function proveContents(subject: VerifiedBackup): Promise<OpenBackup> {
	await assertKey(subject);
	return await twice(subject, async () => await readSmallParts(subject));
}

/** What can be proved without a key is not left out. @throws BackupError 'wrong-identity' where there is none */
async function assertKey(subject: VerifiedBackup): Promise<void> {
	if (subject.manifest.encryption === null || subject.keys) return;
	await proveStored(subject);
	throw noKey(subject.manifest);
}

/** Reads; what fails for a reason that can be the backup's is the backup's only after a look at the bytes, and a second try. */
async function twice<T>(subject: VerifiedBackup, read: () => Promise<T>): Promise<T> {
	const kind = kindOf(subject.manifest);
	let first: BackupError;
	try {
		return await read();
	} catch (error) {
		if (subject.signal.aborted || !isSuspicious(kind, error)) throw error;
		first = error;
	}
	// A changed header looks like a wrong key: damage has priority.
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
		if (subject.signal.aborted || !isSuspicious(kind, error)) throw error;
		const { code, message } = error;
		const hint = `Its bytes are as they were stored, so it was stored like this. ${USE_ANOTHER}`;
		throw new BadBackup(code, message, { hint, cause: error });
	}
}

/** Everything but the data and the contents is read to its end, which proves it; of the contents, opening reads all. */
async function readSmallParts(subject: VerifiedBackup): Promise<OpenBackup> {
	const { manifest } = subject;
	for (const part of manifest.parts.filter(({ role }) => role !== 'data' && role !== 'contents')) {
		await finished((await openPart(manifest, part, subject)).resume());
	}
	return await openBackup(subject.chain, subject);
}

async function readData(subject: VerifiedBackup, backup: OpenBackup): Promise<void> {
	const { manifest } = subject;
	const total = dataSize(manifest).originalBytes;
	let before = 0;
	for (const part of manifest.parts.filter(({ role }) => role === 'data')) {
		await readToEnd(subject, backup, part, (bytes) => subject.onProgress('readable', before + bytes, total));
		before += part.original.bytes;
	}
}

async function readToEnd(
	subject: VerifiedBackup,
	backup: OpenBackup,
	part: StoredPart,
	onProgress: (bytes: number) => void,
): Promise<void> {
	const { manifest } = subject;
	const check = await kindOf(manifest).checkData(backup, part);
	try {
		const body = await openPart(manifest, part, subject, onProgress);
		for await (const chunk of body as AsyncIterable<Buffer>) await check.add(chunk);
		await check.end();
	} finally {
		check.close?.();
	}
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
		`${group}/${label} is stored as it was written, but no key is given to open it`,
		{
			hint: 'Verify it to depth "stored" here, or run n8n-backup verify with --identity where the identity is: its evidence counts here too.',
		},
	);
}
