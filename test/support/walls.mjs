/**
 * What ESLint's rule about imports says of lines in files, as this project configures it. A program of its own, because the
 * configuration is a module, which jest does not load. Reads [[file, line], …] and writes [[message, …], …].
 */
import path from 'node:path';
import { text } from 'node:stream/consumers';
import tsParser from '@typescript-eslint/parser';
import { ESLint, Linter } from 'eslint';

const ROOT = path.join(import.meta.dirname, '../..');
const RULE = '@typescript-eslint/no-restricted-imports';

const eslint = new ESLint({ cwd: ROOT });
const linter = new Linter();
const found = [];
for (const [file, line] of JSON.parse(await text(process.stdin))) {
	const { plugins, rules } = await eslint.calculateConfigForFile(path.join(ROOT, file));
	const config = { files: ['**/*.ts'], plugins, rules: { [RULE]: rules[RULE] }, languageOptions: { parser: tsParser } };
	found.push(linter.verify(line, config, 'x.ts').map(({ message }) => message));
}
console.log(JSON.stringify(found));
