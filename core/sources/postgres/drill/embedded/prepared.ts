/**
 * The data directory that an embedded database starts on. Making one takes initdb 8 s of CPU and 1.2 GB of memory, so it is
 * made once, when this package is built, and unpacked for each database.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { create, extract } from 'tar';
import { abortError, BackupError, messageOf } from '../../../../base/errors';
import { PACKAGE_ROOT } from '../../../../base/program';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../../base/temporary-folder';
import { noSpaceLeft } from './no-space';
import { DatabaseProcess } from './process';
import { findProgram } from './program';

/** The highest level that needs no more than 8 MB to decompress: 25 MB become 1.7. */
const LEVEL = 19;

/** The archive (tar, zstd). It is named after the version of PGlite, because another one may not be able to read it. */
async function archiveFile(): Promise<string> {
	const text = await fs.readFile(path.join(await findProgram(), '../package.json'), 'utf8');
	const { version } = JSON.parse(text) as { version: string };
	return path.join(PACKAGE_ROOT, 'dist', `embedded-database-${version}.tar.zst`);
}

/** Makes the archive, unless it is there: for the build, and for tests that run the sources. Takes about 10 s. */
export async function prepareDatabase(): Promise<void> {
	const file = await archiveFile();
	if (await exists(file)) return;
	const folder = await createTemporaryFolder('scratch');
	// Others may be doing the same: none must find half of it.
	const half = `${file}.${process.pid}`;
	try {
		const program = await findProgram();
		const data = path.join(folder, 'data');
		const { signal } = new AbortController();
		const input = { task: 'create', folder: data, program, modules: [] } as const;
		await (await DatabaseProcess.start(input, { folder, program }, signal)).stop();
		await fs.mkdir(path.dirname(file), { recursive: true });
		await pipeline(
			Readable.from(create({ cwd: data, portable: true }, ['.'])),
			createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }),
			createWriteStream(half),
		);
		await fs.rename(half, file);
	} finally {
		await fs.rm(half, { force: true });
		await removeTemporaryFolder(folder);
	}
}

/**
 * Unpacks a data directory.
 * @param folder becomes the data directory
 * @throws BackupError 'engine-not-found', 'storage-full'; 'cancelled'
 */
export async function unpackDatabase(folder: string, signal: AbortSignal): Promise<void> {
	// PostgreSQL refuses a data directory that others can write to.
	await fs.mkdir(folder, { mode: 0o700 });
	const file = await archiveFile();
	const unpack = extract({ cwd: folder, preserveOwner: false, noMtime: true, strict: true });
	try {
		// Larger pieces than the default, which takes twice the time for the round trips between threads.
		await pipeline(createReadStream(file), createZstdDecompress({ chunkSize: 256 * 1024 }), unpack, { signal });
	} catch (cause) {
		if (signal.aborted) throw abortError(signal);
		if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') throw noSpaceLeft(cause);
		throw new BackupError('engine-not-found', `the embedded database cannot be unpacked: ${messageOf(cause)}`, {
			hint: `Install the package n8n-nodes-backup again: ${file} is missing or damaged. Or the temporary folder cannot be written to.`,
			cause,
		});
	}
}

async function exists(file: string): Promise<boolean> {
	return await fs.access(file).then(
		() => true,
		() => false,
	);
}
