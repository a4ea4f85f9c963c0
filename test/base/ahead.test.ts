/** Work ahead of who takes its results. */
import { setTimeout as delay } from 'node:timers/promises';
import { ahead } from '../../core/base/ahead';

const LIMITS = { items: 3, weight: 100, weightOf: (item: number) => item };

async function* numbers(...items: number[]): AsyncGenerator<number> {
	for (const item of items) yield await Promise.resolve(item);
}

it('gives results in order, whichever is ready first', async () => {
	const results: number[] = [];
	const work = async (item: number) => {
		await delay(30 - item);
		return item;
	};
	for await (const result of ahead(numbers(1, 20, 10, 5), LIMITS, work)) results.push(result);
	expect(results).toEqual([1, 20, 10, 5]);
});

it('begins no more than the limits say, and one that alone is more than them', async () => {
	let running = 0;
	let most = 0;
	let weight = 0;
	let heaviest = 0;
	const work = async (item: number) => {
		most = Math.max(most, ++running);
		heaviest = Math.max(heaviest, (weight += item));
		await delay(5);
		running--;
		return item;
	};
	const results: number[] = [];
	for await (const result of ahead(numbers(1, 1, 1, 1, 1, 90, 90, 500, 2), LIMITS, work)) {
		results.push(result);
		weight -= result;
	}
	expect(results).toHaveLength(9);
	expect(most).toBe(3);
	// What is begun while there is room may go beyond it by one item.
	expect(heaviest).toBeLessThanOrEqual(100 + 500);
});

it('throws a failure when its turn comes, waits for the others, and closes the source', async () => {
	let ended = 0;
	let isClosed = false;
	async function* source() {
		try {
			yield* numbers(1, 2, 3, 4, 5);
		} finally {
			isClosed = true;
		}
	}
	const work = async (item: number) => {
		await delay(item === 2 ? 1 : 10);
		ended++;
		if (item === 2) throw new Error('two');
		return item;
	};
	const results: number[] = [];
	await expect(
		(async () => {
			for await (const result of ahead(source(), LIMITS, work)) results.push(result);
		})(),
	).rejects.toThrow('two');
	expect([results, ended, isClosed]).toEqual([[1], 4, true]);
});
