/** Lets plain Node run our sources in another process: node --require test/support/typescript.cjs script.ts */
const Module = require('node:module');
const swc = require('@swc/core');

// Node's own stripping of types knows neither our imports without extensions nor parameter properties.
Module._extensions['.ts'] = (module, file) => {
	const { code } = swc.transformFileSync(file, {
		jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
		module: { type: 'commonjs' },
		sourceMaps: 'inline',
	});
	module._compile(code, file);
};
