/**
 * Lets plain Node run our sources in another process: node --require test/support/typescript.cjs script.ts
 *
 * Tests start hundreds of them, so what was compiled is kept, by its content, for later processes and later runs.
 */
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

const KEPT = path.join(__dirname, '../../node_modules/.cache/n8n-nodes-backup/compiled');
fs.mkdirSync(KEPT, { recursive: true });
// For the threads of that process as well, which compile for themselves.
process.env.NODE_COMPILE_CACHE = path.join(KEPT, 'bytecode');
Module.enableCompileCache(process.env.NODE_COMPILE_CACHE);

// Node's own stripping of types knows neither our imports without extensions nor parameter properties.
Module._extensions['.ts'] = (module, file) => module._compile(compiled(file), file);

function compiled(file) {
	const source = fs.readFileSync(file, 'utf8');
	const kept = path.join(KEPT, `${createHash('sha256').update(`${file}\n${source}`).digest('hex')}.js`);
	try {
		return fs.readFileSync(kept, 'utf8');
	} catch {
		const { code } = require('@swc/core').transformSync(source, {
			filename: file,
			jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
			module: { type: 'commonjs' },
			sourceMaps: 'inline',
		});
		// Others may do the same at this moment: none must read half of it.
		fs.writeFileSync(`${kept}.${process.pid}`, code);
		fs.renameSync(`${kept}.${process.pid}`, kept);
		return code;
	}
}
