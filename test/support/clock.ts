/** A clock that stands still, and is put forward: labels are in seconds, and within a chain nobody wants to wait for the next one. */

/** Everything but the date goes on as it does. */
const REAL = [
	...['hrtime', 'nextTick', 'performance', 'queueMicrotask'],
	...['setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'],
] as never[];

/** Stops the clock at the beginning of each test of a file, and lets it go after the last one. */
export function stopClock(): void {
	beforeEach(() => {
		jest.useFakeTimers({ doNotFake: REAL });
	});
	afterAll(() => {
		jest.useRealTimers();
	});
}

/** Puts a stopped clock forward by a second; one that goes is left alone. */
export function nextSecond(): void {
	if (jest.isMockFunction(Date) || 'clock' in Date) jest.setSystemTime(Date.now() + 1000);
}
