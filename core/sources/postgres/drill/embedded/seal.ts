/**
 * Takes everything of Node away from the process of the embedded database that its work does not need: the network above
 * all, for which Node's permissions have no wall, and whatever leads to another module. It holds for code that came in
 * although none can.
 */
import fs from 'node:fs';
import Module from 'node:module';

/**
 * Globals that stay besides those of the language. None reaches anything outside of the process; `process` and `console`
 * are no longer Node's.
 */
const KEPT = [
	...['Buffer', 'TextDecoder', 'TextEncoder', 'URL', 'Blob', 'AbortController', 'AbortSignal', 'Event', 'EventTarget'],
	...['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'structuredClone'],
	...['crypto', 'performance', 'process', 'console'],
];

/** Of the language (ECMAScript, "The Global Object"), and WebAssembly. */
const LANGUAGE = [
	...['globalThis', 'Infinity', 'NaN', 'undefined', 'isFinite', 'isNaN', 'parseFloat', 'parseInt'],
	...['decodeURI', 'decodeURIComponent', 'encodeURI', 'encodeURIComponent'],
	...['AggregateError', 'Array', 'ArrayBuffer', 'BigInt', 'BigInt64Array', 'BigUint64Array', 'Boolean', 'DataView'],
	...['Date', 'Error', 'EvalError', 'FinalizationRegistry', 'Float32Array', 'Float64Array', 'Function', 'Int8Array'],
	...['Int16Array', 'Int32Array', 'Iterator', 'Map', 'Number', 'Object', 'Promise', 'Proxy', 'RangeError'],
	...['ReferenceError', 'RegExp', 'Set', 'SharedArrayBuffer', 'String', 'Symbol', 'SyntaxError', 'TypeError'],
	...['Uint8Array', 'Uint8ClampedArray', 'Uint16Array', 'Uint32Array', 'URIError', 'WeakMap', 'WeakRef', 'WeakSet'],
	...['Atomics', 'Intl', 'JSON', 'Math', 'Reflect', 'WebAssembly'],
];

/**
 * What the loader of PGlite finds as `process` and `console`, from before it is loaded. Node's own `process` would give it
 * every module, and its standard streams the network.
 */
export function putStandIns(): void {
	const { platform } = process;
	const versions = Object.freeze({ node: process.versions.node });
	const standIn = {
		platform,
		versions,
		argv: [],
		env: {},
		exitCode: 0,
		// The loader asks for the constants of the file system, which are public elsewhere.
		binding: () => ({ fs: fs.constants }),
		on: () => undefined,
		cwd: () => '/',
	};
	const silent = () => undefined;
	replaceGlobal('process', standIn);
	replaceGlobal('console', { log: silent, info: silent, warn: silent, error: silent, debug: silent });
}

/** To be called when everything is loaded. */
export function seal(): void {
	const kept = new Set([...KEPT, ...LANGUAGE]);
	for (const name of Object.getOwnPropertyNames(globalThis)) {
		if (!kept.has(name)) delete (globalThis as Record<string, unknown>)[name];
	}
	const refuse = () => {
		throw new Error('the embedded database loads nothing any more');
	};
	Module.registerHooks({ resolve: refuse, load: refuse });
	// All of it: it is reachable through every loaded module.
	for (const name of Object.getOwnPropertyNames(Module)) {
		const { configurable, writable } = Object.getOwnPropertyDescriptor(Module, name)!;
		if (configurable) Object.defineProperty(Module, name, { value: refuse });
		else if (writable) (Module as unknown as Record<string, unknown>)[name] = refuse;
	}
}

function replaceGlobal(name: string, value: object): void {
	Object.defineProperty(globalThis, name, { value, writable: false, configurable: false, enumerable: false });
}
