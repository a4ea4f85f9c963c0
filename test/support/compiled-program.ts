/**
 * The command line as plain JavaScript in a folder of its own, for tests that start it many times: compiling its sources
 * takes longer than most of what they look at.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { transformFileSync } from '@swc/core';

const ROOT = path.join(__dirname, '../..');

export interface CompiledProgram {
	/** Where it lies. */
	folder: string;
	/** Starts it, in a nearly empty environment. */
	start(args: string[], env?: NodeJS.ProcessEnv): ChildProcess;
	remove(): void;
}

export function compileProgram(): CompiledProgram {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'program-'));
	for (const part of ['bin', 'core']) {
		for (const file of fs.readdirSync(path.join(ROOT, part), { recursive: true, encoding: 'utf8' })) {
			if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
			const { code } = transformFileSync(path.join(ROOT, part, file), {
				jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
				module: { type: 'commonjs' },
			});
			const target = path.join(folder, part, file.replace(/\.ts$/, '.js'));
			fs.mkdirSync(path.dirname(target), { recursive: true });
			// As tsc's rewriteRelativeImportExtensions does.
			fs.writeFileSync(target, code.replace(/(require\("\.[^"]*)\.ts"\)/g, '$1.js")'));
		}
	}
	fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
	for (const name of ['node_modules', 'dist']) fs.symlinkSync(path.join(ROOT, name), path.join(folder, name));
	return {
		folder,
		start: (args, env = {}) =>
			spawn(process.execPath, [path.join(folder, 'bin/n8n-backup.js'), ...args], {
				env: { PATH: process.env.PATH, HOME: '/nonexistent', NODE_COMPILE_CACHE: path.join(folder, 'cache'), ...env },
				stdio: ['ignore', 'ignore', 'inherit'],
			}),
		remove: () => fs.rmSync(folder, { recursive: true, force: true }),
	};
}
