/** docs/files.md: what it names is there, under that name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { INodeProperties, INodeTypeDescription } from 'n8n-workflow';
import { BackupEncryptionApi } from '../../credentials/BackupEncryptionApi.credentials';
import { ApplyRetention } from '../../nodes/ApplyRetention/ApplyRetention.node';
import { ArchiveFiles } from '../../nodes/ArchiveFiles/ArchiveFiles.node';
import { PostgresDump } from '../../nodes/PostgresDump/PostgresDump.node';
import { POLICY_PRESETS } from '../../core/retention/policy';
import { Document, PROJECT } from '../support/document';

const page = new Document('docs/files.md');

function namesIn({ displayName, options = [] }: INodeProperties): string[] {
	return [
		displayName,
		...options.flatMap((option) => ('values' in option ? [] : 'type' in option ? namesIn(option) : [option.name])),
	];
}

/** As texts name them: "Node: Operation". */
function operationsOf({ displayName, properties }: INodeTypeDescription): string[] {
	const operation = properties.find(({ name }) => name === 'operation')!;
	return namesIn(operation).map((name) => `${displayName}: ${name}`);
}

describe('docs/files.md', () => {
	it('calls fields, options and nodes what they are called', () => {
		const { displayName, properties } = new ArchiveFiles().description;
		const known = [
			...[displayName, new PostgresDump().description.displayName, POLICY_PRESETS.logs.name],
			...operationsOf(new ApplyRetention().description),
			...[...properties, ...new BackupEncryptionApi().properties]
				.flatMap(namesIn)
				.map((name) => name.replace(/ \(.*\)$/, '')),
		];
		const italic = [...page.text.matchAll(/(?<![\w_])_([A-Z][^_`\n]*)_(?![\w_])/g)].map((match) => match[1]!);
		expect(italic.length).toBeGreaterThan(10);
		expect(italic.filter((name) => !known.includes(name))).toEqual([]);
	});

	it('tells of each preset by its name', () => {
		const preset = new ArchiveFiles().description.properties.find(({ name }) => name === 'preset')!;
		const names = namesIn(preset).filter((name) => !['None', 'Preset'].includes(name));
		expect(names).toHaveLength(4);
		for (const name of names) expect(page.text).toContain(`**${name}**`);
	});

	it('is linked to from the README, and links only to files that exist', () => {
		expect(page.brokenLinks()).toEqual([]);
		expect(readFileSync(join(PROJECT, 'README.md'), 'utf8')).toContain('](docs/files.md)');
	});
});
