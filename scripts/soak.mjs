/**
 * npm run soak: the tests that try something at random moments, many times instead of a few, in a fresh clone on a bare
 * machine as well. Takes an hour or two, and 40 GB of disk.
 *
 *   npm run soak                        all of them
 *   npm run soak -- test/verbs/copy    these files only
 */
import { cleanUpOnSignals, report } from './lib/cleanup.mjs';
import { installPrograms } from './lib/debian.mjs';
import { runJest } from './lib/jest.mjs';
import { underNode24 } from './lib/node24.mjs';
import { say } from './lib/progress.mjs';
import { installProject } from './lib/project.mjs';

/** Those that ask test/support/soak.ts how often to try. */
const FILES = [
	'test/verbs/copy/killed',
	'test/verbs/expire/killed',
	'test/sources/bucket/many',
	'test/sources/files/large',
	'test/sources/files/line-sorter',
	'test/sources/files/many',
	'test/sources/files/random-edits',
	'test/sources/files/restore-failures',
	'test/records/locks/killed',
	'test/records/locks/processes',
];

const options = process.argv.slice(2);

cleanUpOnSignals();
try {
	await underNode24();
	await installProject();
	await installPrograms();
	say('run the tests that try something at random moments');
	process.env.N8N_BACKUP_SOAK = '1';
	process.exitCode = await runJest(options.length > 0 ? options : FILES);
} catch (error) {
	report(error);
}
