/** n8n's own folder, `~/.n8n`: which folders hold one, and with it the key of all credentials. */
import fs from 'node:fs';
import path from 'node:path';

/** n8n writes less than a hundred bytes. */
const MAX_CONFIG_BYTES = 64 * 1024;

/**
 * Why an archive of these paths may not be stored in the clear, as a sentence: one of them is n8n's folder, lies directly above it, or is
 * its settings file, which holds the key. Undefined where none is.
 * @param real paths without links
 */
export function n8nMustEncrypt(real: readonly string[]): string | undefined {
	const holdsKey = real.some((each) =>
		['', 'config', '.n8n/config'].some((name) => isN8nConfig(path.join(each, name))),
	);
	return holdsKey ? 'n8n’s key is in it, which opens all its credentials: give recipients or a passphrase.' : undefined;
}

/** Where n8n's settings file may be when one of these paths is its folder, lies directly above it, or is the file itself. */
export function configFilesOf(paths: readonly string[]): string[] {
	return paths.flatMap((each) => [
		...(path.basename(each) === 'config' ? [each] : []),
		...['config', '.n8n/config'].map((name) => path.join(each, name)),
	]);
}

function isN8nConfig(file: string): boolean {
	try {
		const stats = fs.statSync(file);
		if (!stats.isFile() || stats.size > MAX_CONFIG_BYTES) return false;
		return keyOfConfig(fs.readFileSync(file, 'utf8')) !== null;
	} catch (error) {
		// What cannot be read here cannot be archived either.
		if ((error as NodeJS.ErrnoException).code !== undefined) return false;
		throw error;
	}
}

/** The key in the text of n8n's settings file; null where there is none. */
export function keyOfConfig(text: string): string | null {
	try {
		const { encryptionKey } = JSON.parse(text) as { encryptionKey?: unknown };
		return typeof encryptionKey === 'string' && encryptionKey !== '' ? encryptionKey : null;
	} catch (error) {
		if (error instanceof SyntaxError || error instanceof TypeError) return null;
		throw error;
	}
}
