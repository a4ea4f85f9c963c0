import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { startThread } from '../../core/base/thread';

it('a thread knows nothing of this process but what it was given, and where Node keeps compiled code', async () => {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'thread-'));
	const before = process.env.NODE_COMPILE_CACHE;
	try {
		process.env.TEST_SECRET = 'SECRET';
		const file = path.join(folder, 'thread.cjs');
		fs.writeFileSync(
			file,
			`const { parentPort, workerData } = require('node:worker_threads');
			parentPort.postMessage({ workerData, names: Object.keys(process.env), options: process.execArgv });`,
		);
		const said = async () => {
			const [message] = (await once(startThread(file, { workerData: 'a job' }), 'message')) as [unknown];
			return message;
		};
		const options = [expect.stringMatching(/^--disable-warning=/), expect.stringMatching(/^--disable-warning=/)];
		delete process.env.NODE_COMPILE_CACHE;
		expect(await said()).toEqual({ workerData: 'a job', names: [], options });
		process.env.NODE_COMPILE_CACHE = path.join(folder, 'cache');
		expect(await said()).toEqual({ workerData: 'a job', names: ['NODE_COMPILE_CACHE'], options });
	} finally {
		delete process.env.TEST_SECRET;
		if (before !== undefined) process.env.NODE_COMPILE_CACHE = before;
		fs.rmSync(folder, { recursive: true, force: true });
	}
});
