/**
 * Before all tests: where Node keeps compiled code, whom shared servers belong to, the embedded database where there was no build, and the S3 server. That
 * takes seconds, so a run of a few tests does without.
 */
import path from 'node:path';
import type { Config } from '@jest/types';
import { prepareDatabase } from '../../core/sources/postgres/drill/embedded/prepared';
import { globalStart } from './s3';

export default async function setUp(config: Config.GlobalConfig): Promise<void> {
	// Threads are started from the sources, thousands of times; to compile them takes half a second each time.
	process.env.NODE_COMPILE_CACHE = path.resolve(__dirname, '../../node_modules/.cache/n8n-nodes-backup/bytecode');
	process.env.TEST_RUN_PID = String(process.pid);
	await prepareDatabase();
	if (config.testPathPatterns.patterns.length === 0) await globalStart();
}
