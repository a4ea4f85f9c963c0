/** Before all tests: whom shared servers belong to, and the S3 server. It takes seconds, so a run of a few tests does without. */
import type { Config } from '@jest/types';
import { globalStart } from './s3';

export default async function setUp(config: Config.GlobalConfig): Promise<void> {
	process.env.TEST_RUN_PID = String(process.pid);
	if (config.testPathPatterns.patterns.length === 0) await globalStart();
}
