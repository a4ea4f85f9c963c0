/** Before all tests: the S3 server that they share. It takes some seconds, so a run of a few tests does without it. */
import type { Config } from '@jest/types';
import { globalStart } from './s3';

export default async function setUp(config: Config.GlobalConfig): Promise<void> {
	if (config.testPathPatterns.patterns.length === 0) await globalStart();
}
