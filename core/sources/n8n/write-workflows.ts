/** Workflows as files in a folder, one each, for git. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../base/errors';
import { randomWord } from '../../base/random-word';
import { isFileOf, workflowFile, type WorkflowFile } from './workflow-file';

/** Files that are read to see whose they are; a workflow of n8n has up to 16 MB. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

export interface WrittenWorkflows {
	/** Names of files that are new or have changed. */
	written: string[];
	/** How many are as they were. */
	unchanged: number;
	/** Names of files that were removed: of workflows that have another name now, or are gone. */
	removed: string[];
	/** Where secrets were replaced: workflow, node and path of the parameter. */
	secrets: string[];
}

export interface WriteWorkflowsOptions {
	/** Exists; files in it that are no workflows are left alone. */
	folder: string;
	/** The workflows are all there are: files of others are removed. @default false */
	complete?: boolean;
}

/**
 * Writes each workflow into a file of its own. A file that says the same already is not touched; each is replaced in one step.
 * @throws BackupError 'invalid-input' for what is no workflow, for two of the same id, and for none at all: then nothing was written;
 *   'storage-failed' where the folder cannot be written to
 */
export async function writeWorkflows(
	workflows: readonly unknown[],
	{ folder, complete = false }: WriteWorkflowsOptions,
): Promise<WrittenWorkflows> {
	const files = new Map<string, WorkflowFile>();
	for (const workflow of workflows) {
		const file = workflowFile(workflow);
		if (files.has(file.id)) {
			throw new BackupError('invalid-input', `two workflows have the id ${file.id}`, {
				hint: 'Give the workflows of one n8n only, each once.',
			});
		}
		files.set(file.id, file);
	}
	if (files.size === 0) {
		throw new BackupError('invalid-input', 'there is no workflow to write', {
			hint: 'n8n gives an API key the workflows of its owner: check whose it is.',
		});
	}
	const result: WrittenWorkflows = { written: [], unchanged: 0, removed: [], secrets: [] };
	try {
		for (const { name, text, title, removed } of files.values()) {
			result.secrets.push(...removed.map((where) => `${title}: ${where}`));
			if ((await textOf(path.join(folder, name))) === text) result.unchanged++;
			else {
				await replace(path.join(folder, name), text);
				result.written.push(name);
			}
		}
		for (const name of (await fs.readdir(folder)).sort()) {
			if (!(await isStale(path.join(folder, name), files, complete))) continue;
			await fs.rm(path.join(folder, name));
			result.removed.push(name);
		}
		return result;
	} catch (cause) {
		throw new BackupError('storage-failed', `workflows cannot be written to ${folder}: ${(cause as Error).message}`, {
			hint: 'Give a folder that exists, and into which this user may write.',
			cause,
		});
	}
}

/** Whether a file is that of a workflow which has another name now, or of one that is gone. Its name alone decides nothing. */
async function isStale(file: string, files: ReadonlyMap<string, WorkflowFile>, complete: boolean): Promise<boolean> {
	const name = path.basename(file);
	if (!name.endsWith('.json')) return false;
	const id = idIn((await textOf(file)) ?? '');
	if (id === null || !isFileOf(name, id)) return false;
	const now = files.get(id);
	return now === undefined ? complete : now.name !== name;
}

/** The id of the workflow in a text that we have written; null for any other. */
function idIn(text: string): string | null {
	try {
		const { id, nodes, connections } = JSON.parse(text) as Record<string, unknown>;
		return Array.isArray(nodes) && typeof connections === 'object' ? String(id) : null;
	} catch {
		return null;
	}
}

/** null for what is no file of ours: absent, a folder, too large. */
async function textOf(file: string): Promise<string | null> {
	try {
		const stats = await fs.lstat(file);
		return stats.isFile() && stats.size <= MAX_FILE_BYTES ? await fs.readFile(file, 'utf8') : null;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
		throw error;
	}
}

async function replace(file: string, text: string): Promise<void> {
	const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomWord(8)}`);
	try {
		await fs.writeFile(temporary, text, { flag: 'wx' });
		await fs.rename(temporary, file);
	} catch (error) {
		await fs.rm(temporary, { force: true });
		throw error;
	}
}
