/** What code would try that came to run in the process of the embedded database. */

/** An attacker does not care for types. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Anything = any;

interface Surroundings {
	/** As the loader of libraries has it. */
	fs: typeof import('node:fs');
	require: NodeJS.Require;
	/** Files of others. */
	secret: string;
	outside: string;
	inside: string;
}

/**
 * Says how each attempt ended: "refused", or what it got. Its text is evaluated elsewhere: it may use nothing around it.
 */
export function attack({ fs, require, secret, outside, inside }: Surroundings): Record<string, string> {
	const world = globalThis as unknown as Record<string, Anything>;
	const attempts: Record<string, () => Anything> = {
		'read a file': () => fs.readFileSync(secret, 'utf8'),
		'list a folder': () => fs.readdirSync('/'),
		'read the environment of the process': () => fs.readFileSync('/proc/self/environ', 'utf8'),
		'read the environment of its parent': () => fs.readFileSync(`/proc/${world.process.ppid}/environ`, 'utf8'),
		'write a file': () => fs.writeFileSync(outside, 'x') ?? 'written',
		'make a symbolic link': () => fs.symlinkSync(secret, `${inside}/symbolic`) ?? 'made',
		'make a relative link': () => fs.symlinkSync(`../..${secret}`, `${inside}/relative`) ?? 'made',
		'make a hard link': () => fs.linkSync(secret, `${inside}/hard`) ?? 'made',
		'see the environment': () => Object.keys(world.process.env).join() || null,
		'load a module': () => require('node:net'),
		'load a module by its loader': () => (require as Anything).main?.require('node:net'),
		'load a module by a constructor': () => {
			const [loaded] = Object.values(require.cache) as Anything[];
			return loaded.constructor._load('node:net') ?? loaded.constructor.createRequire(inside)('node:net');
		},
		'load a module by a loaded one': () => (Object.values(require.cache)[0] as Anything).require('node:child_process'),
		'load an addon': () => (require as Anything).extensions['.node']({ exports: {} }, `${inside}/x.node`),
		'get a built-in module': () => world.process.getBuiltinModule('node:net'),
		'get a binding': () => world.process.binding('tcp_wrap').TCP,
		'get a linked binding': () => world.process._linkedBinding('fs'),
		'open an addon': () => world.process.dlopen({ exports: {} }, `${inside}/x.node`),
		'signal another process': () => world.process.kill(1, 0),
		'debug another process': () => world.process._debugProcess(1),
		'write a report': () => world.process.report.writeReport(),
		'take a socket from standard input': () => world.process.stdin.constructor,
		'take a socket from an active handle': () => world.process._getActiveHandles(),
		'find Node by a new function': () => (() => 0).constructor('return process')().getBuiltinModule('node:net'),
		'find Node in the stack': () => {
			Error.prepareStackTrace = (_, frames) => frames;
			const found = (new Error().stack as unknown as NodeJS.CallSite[])
				.map((frame) => frame.getThis() as Anything)
				.find((value) => value?.getBuiltinModule ?? value?.process?.getBuiltinModule);
			(Error as { prepareStackTrace?: unknown }).prepareStackTrace = undefined;
			return found;
		},
		'use the network': () =>
			['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest', 'Worker', 'BroadcastChannel', 'navigator', 'localStorage']
				.filter((name) => world[name] !== undefined)
				.join() || null,
	};
	const outcomes: Record<string, string> = {};
	for (const [name, attempt] of Object.entries(attempts)) {
		try {
			const got = attempt() as string | null | undefined;
			outcomes[name] = got === null || got === undefined ? 'refused' : `got ${String(got)}`;
		} catch {
			outcomes[name] = 'refused';
		}
	}
	return outcomes;
}
