import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../../core/base/errors';
import { type Event, listening, tell } from '../../core/base/events';
import { watchStall } from '../../core/base/limits';
import { retry } from '../../core/base/retry';

const phase = (name: string): Event => ({ kind: 'phase', phase: name });

async function eventsOf(work: () => Promise<unknown>): Promise<Event[]> {
	const events: Event[] = [];
	await listening((event) => void events.push(event), work);
	return events;
}

describe('what happens while something runs', () => {
	it('is heard by all who listen to it, also from what it starts later, and by nobody else', async () => {
		const inner: Event[] = [];
		const [one, other] = await Promise.all([
			eventsOf(async () => {
				await delay(5);
				tell(phase('one'));
				await listening(
					(event) => void inner.push(event),
					async () => {
						await delay(5);
						tell(phase('within'));
					},
				);
			}),
			eventsOf(async () => {
				tell(phase('other'));
				await delay(20);
			}),
		]);
		expect({ one, other, inner }).toEqual({
			one: [phase('one'), phase('within')],
			other: [phase('other')],
			inner: [phase('within')],
		});
	});

	it('may happen while nobody listens', () => {
		expect(() => tell(phase('alone'))).not.toThrow();
	});

	it('tells of each retry, with what failed', async () => {
		let left = 2;
		const policy = { attempts: 5, firstDelayMs: 1, maxDelayMs: 1 };
		const failing = async () => {
			if (left-- > 0) throw new BackupError('connection-lost', 'the server went away');
		};
		expect(await eventsOf(async () => await retry(failing, policy))).toEqual([
			{ kind: 'retry', message: 'the server went away', failures: 1 },
			{ kind: 'retry', message: 'the server went away', failures: 2 },
		]);
	});

	it('tells that nothing moves long before it gives up, and whom it waits for', async () => {
		jest.useFakeTimers();
		try {
			const look = () => ({ moved: 0, waitingFor: 'storage here' });
			const events = await eventsOf(async () => {
				const watch = watchStall(300_000, () => undefined, look);
				jest.advanceTimersByTime(31_000);
				watch.stop();
				await Promise.resolve();
			});
			expect(events).toEqual([
				{ kind: 'slow', waitingFor: 'storage here', seconds: 15 },
				{ kind: 'slow', waitingFor: 'storage here', seconds: 30 },
			]);
		} finally {
			jest.useRealTimers();
		}
	});
});
