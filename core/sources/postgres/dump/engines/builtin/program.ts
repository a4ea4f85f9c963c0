/**
 * The pg_dump that ships inside the npm package @electric-sql/pglite-tools: found, proved to be the very file that our
 * host was written for, and compiled once for all dumps of this process.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../../../../base/errors';
import type { EngineVersion } from '../engine';

/** What `pg_dump --version` says inside pglite-tools 0.4.8. */
export const BUILTIN_VERSION: EngineVersion = { major: 18, text: '18.3' };

/** Of dist/pg_dump.wasm in pglite-tools 0.4.8. Our host depends on its imports and its memory layout. */
const SHA256 = 'cdbc551ec339cc9867003203bc8f03911858be2be92b3e88376922b09ccdf58c';

let compiled: Promise<WebAssembly.Module> | undefined;

/** @throws BackupError 'engine-not-found' when the file is missing or another one */
export async function loadProgram(): Promise<WebAssembly.Module> {
	compiled ??= compile();
	try {
		return await compiled;
	} catch (error) {
		compiled = undefined; // a repaired installation must not need a restart
		throw error;
	}
}

async function compile(): Promise<WebAssembly.Module> {
	let bytes: Buffer;
	try {
		// The package exports no path to the file; it lies beside its main module.
		const main = require.resolve('@electric-sql/pglite-tools');
		bytes = await fs.readFile(path.join(path.dirname(main), 'pg_dump.wasm'));
	} catch (error) {
		throw broken('the built-in pg_dump is missing', error);
	}
	if (createHash('sha256').update(bytes).digest('hex') !== SHA256) {
		throw broken('the built-in pg_dump is not the file this version was made for');
	}
	return await WebAssembly.compile(bytes);
}

function broken(message: string, cause?: unknown): BackupError {
	return new BackupError('engine-not-found', message, {
		hint: 'Install the package n8n-nodes-backup again: its dependency @electric-sql/pglite-tools is damaged.',
		cause,
	});
}
