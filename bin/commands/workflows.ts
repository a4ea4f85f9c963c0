/** n8n-backup workflows: n8n's workflows as files, one each, for git. */
import { readFile, stat } from 'node:fs/promises';
import { BackupError } from '../../core/base/errors';
import { counted } from '../../core/base/counted';
import { writeWorkflows } from '../../core/sources/n8n/write-workflows';
import type { AddCommand } from '../options';
import { EXIT, printJson, printLine } from '../output';

/** Bytes. Thousands of workflows have less. */
const MAX_EXPORT_BYTES = 512 * 1024 * 1024;

interface WorkflowsOptions {
	from: string;
	to: string;
	all?: boolean;
	json?: boolean;
}

export const workflowsCommand: AddCommand = (program, run) => {
	program
		.command('workflows')
		.description('write n8n’s workflows as files, one each, the same way every time and without secrets: for git')
		.requiredOption('--from <file>', 'what "n8n export:workflow --all --output FILE" wrote')
		.requiredOption('--to <folder>', 'where the files are; it exists')
		.option('--all', 'these are all workflows there are: remove the files of others')
		.option('--json', 'print an object')
		.action(run(write));
};

async function write({ from, to, all = false, json }: WorkflowsOptions): Promise<number> {
	const result = await writeWorkflows(await readExport(from), { folder: to, complete: all });
	if (json) printJson(result);
	else {
		const { written, unchanged, removed, secrets } = result;
		for (const name of written) printLine(`written  ${name}`);
		for (const name of removed) printLine(`removed  ${name}`);
		for (const where of secrets) printLine(`left out a secret of ${where}`);
		printLine(`${counted(written.length + unchanged, 'workflow')} in ${to}, ${unchanged} of them unchanged`);
	}
	return EXIT.ok;
}

/** @throws BackupError 'invalid-input' */
async function readExport(file: string): Promise<unknown[]> {
	try {
		const { size } = await stat(file);
		if (size > MAX_EXPORT_BYTES) throw new Error(`it has ${size} bytes`);
		const value: unknown = JSON.parse(await readFile(file, 'utf8'));
		return Array.isArray(value) ? (value as unknown[]) : [value];
	} catch (cause) {
		// What JSON.parse says quotes the text, which may be a secret.
		const why = cause instanceof SyntaxError ? 'it is no JSON' : (cause as Error).message;
		throw new BackupError('invalid-input', `the export ${file} cannot be read: ${why}`, {
			hint: 'Make it with "n8n export:workflow --all --output FILE".',
		});
	}
}
