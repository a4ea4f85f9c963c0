/** Which folders may be used while no node runs: the same that n8n allows to a node that does. n8n-core is the judge. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { getFileSystemHelperFunctions } from 'n8n-core/dist/execution-engine/node-execution-context/utils/file-system-helper-functions';
import type { INode } from 'n8n-workflow';
import { allowedFolder, isBlockedByN8n } from '../../nodes/shared/allowed-folder';
import { backupStorageTest } from '../../nodes/shared/credentials';
import { searchGroups } from '../../nodes/shared/backups';
import { fakeListContext } from '../support/fake-node';

/** The container that n8n-core keeps its settings in: of its own copy of the package, where it has one. */
const { Container } = createRequire(require.resolve('n8n-core'))('@n8n/di') as { Container: { reset(): void } };

const NAMES = [
	'N8N_RESTRICT_FILE_ACCESS_TO',
	'N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES',
	'N8N_BLOCK_FILE_PATTERNS',
	'N8N_USER_FOLDER',
	'N8N_CONFIG_FILES',
	'N8N_CUSTOM_EXTENSIONS',
	'N8N_BINARY_DATA_STORAGE_PATH',
];
const environment = { ...process.env };
const HOME = os.homedir();
let folder: string;
/** n8n makes its own folder when it is asked for the first time. */
let user: string;

beforeAll(() => {
	folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'allowed-'));
	user = path.join(folder, 'user');
});

beforeEach(() => {
	for (const name of NAMES) delete process.env[name];
	process.env.N8N_USER_FOLDER = user;
});

afterAll(() => {
	process.env = environment;
	fs.rmSync(folder, { recursive: true, force: true });
});

const paths = () => [
	`${HOME}/.n8n-files/backups`,
	`${HOME}/.n8n-files`,
	`${HOME}/.n8n-files-too`,
	`${user}/.n8n/backups`,
	user,
	`${user}/.cache/n8n/public/x`,
	'/backups',
	'/backups/inner',
	'/backups-too',
	'/data/secret/x',
	'/data/.git/hooks',
	'/',
];

it.each<[string, Record<string, string>]>([
	['no setting', {}],
	['an empty list, which allows all', { N8N_RESTRICT_FILE_ACCESS_TO: '' }],
	['two folders', { N8N_RESTRICT_FILE_ACCESS_TO: ' /backups ; ~/.n8n-files/backups ' }],
	['a folder in quotes', { N8N_RESTRICT_FILE_ACCESS_TO: '"/backups"' }],
	[
		'everything, with n8n’s own files',
		{ N8N_RESTRICT_FILE_ACCESS_TO: '', N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES: 'false' },
	],
	['patterns', { N8N_RESTRICT_FILE_ACCESS_TO: '', N8N_BLOCK_FILE_PATTERNS: '/secret/;too$' }],
	['a pattern that is none', { N8N_RESTRICT_FILE_ACCESS_TO: '', N8N_BLOCK_FILE_PATTERNS: '(' }],
	[
		'other folders of n8n',
		{ N8N_RESTRICT_FILE_ACCESS_TO: '', N8N_CUSTOM_EXTENSIONS: '/backups;/data', N8N_BINARY_DATA_STORAGE_PATH: '/srv' },
	],
])('blocks and allows what n8n does with %s', (_, settings) => {
	Object.assign(process.env, settings);
	const byN8n = n8nsOwnRule();
	expect(Object.fromEntries(paths().map((each) => [each, isBlockedByN8n(each)]))).toEqual(
		Object.fromEntries(paths().map((each) => [each, byN8n(each)])),
	);
});

it('refuses a folder in the same words whether it exists or not, and writes nothing there', async () => {
	process.env.N8N_RESTRICT_FILE_ACCESS_TO = path.join(folder, 'allowed');
	fs.mkdirSync(path.join(folder, 'other'), { recursive: true });
	const answers = ['other', 'missing', 'missing/inner'].map(async (name) => {
		const place = path.join(folder, name);
		const answer = await testStorage(place);
		return { ...answer, message: answer.message.replaceAll(place, 'FOLDER') };
	});
	const [first, ...others] = await Promise.all(answers);
	expect(first).toMatchObject({
		status: 'Error',
		message: expect.stringContaining(`n8n may not use the folder FOLDER. Use a folder in ${folder}/allowed`),
	});
	for (const other of others) expect(other).toEqual(first);
	expect(fs.readdirSync(path.join(folder, 'other'))).toEqual([]);
});

it('follows a link before it decides', async () => {
	process.env.N8N_RESTRICT_FILE_ACCESS_TO = path.join(folder, 'inside');
	fs.mkdirSync(path.join(folder, 'inside'), { recursive: true });
	fs.symlinkSync('/', path.join(folder, 'inside', 'out'));
	fs.symlinkSync(path.join(folder, 'inside'), path.join(folder, 'in'));
	await expect(allowedFolder(path.join(folder, 'inside', 'out'))).rejects.toThrow(/may not use/);
	expect(await allowedFolder(path.join(folder, 'in'))).toBe(path.join(folder, 'inside'));
});

it('takes "~" for the home of n8n’s user, as n8n’s own setting does', async () => {
	expect(await allowedFolder('~/.n8n-files/no-such-folder')).toBe(`${HOME}/.n8n-files/no-such-folder`);
});

it('lists no groups of a folder that n8n does not allow', async () => {
	const credentials = { backupStorageApi: { type: 'folder', path: folder } };
	await expect(searchGroups.call(fakeListContext({ parameters: {}, credentials }))).rejects.toThrow(/may not use/);
});

async function testStorage(place: string) {
	const data = { type: 'folder', path: place };
	return await backupStorageTest.call({} as never, { id: '1', name: 'x', type: 'backupStorageApi', data });
}

/** What a running node gets for an answer, from n8n started with the settings of now. */
function n8nsOwnRule(): (resolved: string) => boolean {
	Container.reset();
	const helpers = getFileSystemHelperFunctions({} as INode);
	return (resolved) => helpers.isFilePathBlocked(resolved as Parameters<typeof helpers.isFilePathBlocked>[0]);
}
