/** Which pg_dump makes a dump: the built-in one unless the server is newer than it, or as the user says. */
import { BackupError, isBackupError } from '../../../../base/errors';
import { builtinEngine } from './builtin/host';
import type { Engine } from './engine';
import { nativeEngine } from './native';

export type EngineChoice = 'auto' | 'builtin' | 'native';

/** The oldest server that pg_dump 15 and later can read: 9.2. */
const OLDEST_SERVER = 90200;

/**
 * The engine for a server, known to be new enough for it.
 * @param serverVersionNum the server's server_version_num, e.g. 180003
 * @param options.nativePath the native engine's program, when it is not in PATH
 * @throws BackupError 'server-too-new' saying which versions were found, 'engine-not-found', 'unsupported'
 */
export async function chooseEngine(
	choice: EngineChoice,
	serverVersionNum: number,
	options: { nativePath?: string } = {},
): Promise<Engine> {
	if (serverVersionNum < OLDEST_SERVER) {
		throw new BackupError('unsupported', `the server is PostgreSQL ${versionText(serverVersionNum)}, older than 9.2`, {
			hint: 'No pg_dump that is still maintained can read it. Upgrade the server.',
		});
	}
	const builtin = builtinEngine();
	const native = nativeEngine(options.nativePath);
	const engines = { auto: [builtin, native], builtin: [builtin], native: [native] }[choice];
	const found: string[] = [];
	for (const engine of engines) {
		const version = await engine.version().catch((error: unknown) => {
			if (choice !== 'auto' || !isBackupError(error, 'engine-not-found')) throw error;
			return null;
		});
		if (version && version.major >= majorOf(serverVersionNum)) return engine;
		found.push(`${engine.name} pg_dump ${version?.text ?? 'not found'}`);
	}
	throw new BackupError(
		'server-too-new',
		`the server is PostgreSQL ${versionText(serverVersionNum)}, newer than every pg_dump found here: ${found.join(', ')}`,
		{
			hint:
				choice === 'builtin'
					? 'Choose the engine "auto" or "native" and install a pg_dump of the server’s version, or update this package.'
					: `Install PostgreSQL ${majorOf(serverVersionNum)} client programs, or update this package.`,
		},
	);
}

function majorOf(versionNum: number): number {
	return Math.floor(versionNum / 10_000);
}

/** 180003 is 18.3; 90224 is 9.2.24. */
function versionText(versionNum: number): string {
	const major = majorOf(versionNum);
	const rest = versionNum % 10_000;
	return major >= 10 ? `${major}.${rest}` : `${major}.${Math.floor(rest / 100)}.${rest % 100}`;
}
