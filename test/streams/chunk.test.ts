/** Chunks that go to another thread take their memory along where it is theirs alone. */
import { movable } from '../../core/streams/chunk';

it('memory that is a chunk’s alone is handed on, also with a byte to spare, as node:zlib leaves one', () => {
	for (const spare of [0, 1]) {
		const memory = new ArrayBuffer(1000 + spare);
		const moved = movable(Buffer.from(memory, 0, 1000));
		expect(moved.buffer).toBe(memory);
		expect(moved).toHaveLength(1000);
	}
});

it('a part of something larger is copied, since the rest of it is somebody else’s', () => {
	const larger = Buffer.from('the whole of it');
	const alone = Buffer.from(new ArrayBuffer(1002));
	for (const part of [larger.subarray(0, 9), larger.subarray(4, 9), alone.subarray(1), alone.subarray(0, 1000)]) {
		const moved = movable(part);
		expect(moved.buffer).not.toBe(part.buffer);
		expect(Buffer.from(moved).toString()).toBe(part.toString());
	}
});

it('shared memory is copied: it cannot be handed on', () => {
	const shared = Buffer.from(new SharedArrayBuffer(10));
	expect(movable(shared).buffer).toBeInstanceOf(ArrayBuffer);
});
