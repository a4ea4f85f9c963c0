/** What the editor makes of our nodes: which fields and credentials it shows. Judged by n8n's own rules. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeHelpers } from 'n8n-workflow';
import type { INode, INodeParameters, INodeProperties, INodeTypeDescription } from 'n8n-workflow';
import { ApplyRetention } from '../../nodes/ApplyRetention/ApplyRetention.node';
import { ArchiveBucket } from '../../nodes/ArchiveBucket/ArchiveBucket.node';
import { ArchiveConfig } from '../../nodes/ArchiveConfig/ArchiveConfig.node';
import { ArchiveFiles } from '../../nodes/ArchiveFiles/ArchiveFiles.node';
import { BackupRequests } from '../../nodes/BackupRequests/BackupRequests.node';
import { BackupStatus } from '../../nodes/BackupStatus/BackupStatus.node';
import { BackupReport } from '../../nodes/BackupReport/BackupReport.node';
import { CopyBackup } from '../../nodes/CopyBackup/CopyBackup.node';
import { EncryptionKey } from '../../nodes/EncryptionKey/EncryptionKey.node';
import { PostgresBaseBackup } from '../../nodes/PostgresBaseBackup/PostgresBaseBackup.node';
import { PostgresDump } from '../../nodes/PostgresDump/PostgresDump.node';
import { RestoreBackup } from '../../nodes/RestoreBackup/RestoreBackup.node';
import { VerifyBackup } from '../../nodes/VerifyBackup/VerifyBackup.node';

const NODES = [
	ApplyRetention,
	ArchiveBucket,
	ArchiveConfig,
	ArchiveFiles,
	BackupReport,
	BackupRequests,
	BackupStatus,
	CopyBackup,
	EncryptionKey,
	PostgresBaseBackup,
	PostgresDump,
	RestoreBackup,
	VerifyBackup,
].map((Node) => new Node().description);

describe.each(NODES.map((description) => [description.displayName, description] as const))('%s', (_, description) => {
	// n8n cannot resolve most expressions while a workflow is edited; `show` would then hide what hangs on the field.
	it('hides no field or credential because another field is an expression', () => {
		const fixed = new Set(description.properties.filter((each) => each.noDataExpression).map(({ name }) => name));
		const shown = [...description.properties.flatMap(withInner), ...(description.credentials ?? [])].flatMap(
			({ displayOptions }) => Object.keys(displayOptions?.show ?? {}),
		);
		expect(shown.filter((name) => !fixed.has(name))).toEqual([]);
	});

	// The editor puts them below the last field that a `show` of theirs names: without one, before all fields.
	it('shows its credentials first', () => {
		expect((description.credentials ?? []).filter(({ displayOptions }) => displayOptions?.show)).toEqual([]);
	});
});

describe('the credentials of Verify Backup', () => {
	const expression = "={{ $('Settings').first().json.depth }}";
	it.each([
		['an embedded scratch needs no server, whatever the depth is', { depth: expression, scratch: 'embedded' }, false],
		['a scratch on a server needs one, where the depth may ask for it', { depth: expression, scratch: 'server' }, true],
		['what is only read needs no server', { depth: 'readable', scratch: 'server' }, false],
	])('%s', (_, parameters, needed) => {
		expect(credentialsOf(new VerifyBackup().description, parameters).includes('postgres')).toBe(needed);
	});

	it('a depth that may be "restored" needs a key, and "stored" needs none', () => {
		expect(credentialsOf(new VerifyBackup().description, { depth: expression })).toContain('backupEncryptionApi');
		expect(credentialsOf(new VerifyBackup().description, { depth: 'stored' })).toEqual(['backupStorageApi']);
	});
});

it('Verify Backup shows all that a depth may need while the depth is an expression', () => {
	const { properties } = new VerifyBackup().description;
	const parameters = { depth: "={{ $('Settings').first().json.depth }}", encryption: 'age', scratch: 'embedded' };
	const shown = properties
		.filter((property) => NodeHelpers.displayParameter(parameters, property, null, null))
		.map(({ name }) => name);
	expect(shown).toEqual(expect.arrayContaining(['encryption', 'scratch', 'assertions']));
});

/** A field, and those of its collections. */
function withInner(property: INodeProperties): INodeProperties[] {
	const inner = (property.options ?? []).flatMap((option) =>
		'values' in option ? option.values : 'type' in option ? [option] : [],
	);
	return [property, ...inner.flatMap(withInner)];
}

/** The credentials that n8n demands of a node with these fields, the others at their defaults. */
function credentialsOf(description: INodeTypeDescription, parameters: INodeParameters): string[] {
	const node: INode = { id: '1', name: 'x', type: 'x', typeVersion: 1, position: [0, 0], parameters };
	const all = NodeHelpers.getNodeParameters(description.properties, parameters, true, false, node, description);
	return (description.credentials ?? [])
		.filter((credential) => NodeHelpers.displayParameter(all ?? {}, credential, node, description))
		.map(({ name }) => name);
}

describe('the search of the editor', () => {
	const found = (words: string) =>
		NODES.filter(({ name, displayName }) => {
			const folder = `${name[0]!.toUpperCase()}${name.slice(1)}`;
			const codex = JSON.parse(readFileSync(join(__dirname, `../../nodes/${folder}/${folder}.node.json`), 'utf8')) as {
				alias: string[];
			};
			return [displayName, ...codex.alias].some((text) => text.toLowerCase().includes(words));
		}).map(({ displayName }) => displayName);

	it.each([
		['sql dump', ['Postgres Dump']],
		['snapshot', ['Postgres Dump']],
		['docker volumes', ['Archive Files']],
		['backup report', ['Report on Backups']],
		['alert', ['Report on Backups']],
		['encrypt', ['Encryption Key', 'Postgres Dump']],
		['disaster recovery', ['Copy Backup', 'Restore Backup', 'Verify Backup']],
		['backup', ['Copy Backup', 'Postgres Dump', 'Restore Backup', 'Verify Backup']],
	])('finds for "%s" what a user means', (words, nodes) => {
		expect(found(words)).toEqual(expect.arrayContaining(nodes));
	});
});
