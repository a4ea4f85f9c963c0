/**
 * Three layers: n8n's own rules for what n8n loads, the type-checked rules of typescript-eslint for all TypeScript, and
 * the walls of this project (who may import whom). Every rule that is off says why.
 */
import js from '@eslint/js';
import { configWithoutCloudSupport } from '@n8n/node-cli/eslint';
import { defineConfig, globalIgnores } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/** An error that nobody sees is a backup that nobody has: whoever catches one must do something with it. */
const NO_EMPTY_CATCH = [
	'CatchClause > BlockStatement[body.length=0]',
	'CallExpression[callee.property.name="catch"] > ArrowFunctionExpression > BlockStatement[body.length=0]',
].map((selector) => ({ selector, message: 'Handle the error or let it through: an empty catch hides it.' }));

/** Imports that would turn the design around. Whoever writes one gets to read the reason. */
const wall = (...patterns) => ({ '@typescript-eslint/no-restricted-imports': ['error', { patterns }] });

const NO_NODES = {
	group: ['**/nodes/**', '**/credentials/**', '**/bin/**'],
	message: 'nodes and bin use core, never the reverse.',
};
const NO_N8N = { group: ['n8n-*', '@n8n/*'], message: 'core works without n8n: everything in it runs from a script.' };
const NO_PROGRAMS = {
	group: ['child_process', 'node:child_process'],
	message:
		'Only the native engine, pg_restore and the server of a drill are programs of the host: nothing else may need one.',
};

const NO_KINDS = {
	group: ['**/sources/*/**'],
	message: 'A verb knows sources by their contract only: core/sources/source.ts and registry.ts.',
};

/** The folders of core, from the ground up. Each imports from those below it, never from those above. */
const LAYERS = [['base'], ['storage', 'codecs'], ['streams', 'records', 'retention'], ['sources'], ['verbs', 'report']];
const heightOf = (folder) => LAYERS.findIndex((folders) => folders.includes(folder));
const upwards = (height) =>
	LAYERS.slice(height + 1).map((folders) => ({
		group: folders.map((folder) => `**/${folder}/**`),
		message: `Imports run one way: ${folders.join(', ')} lie above. See docs/design.md, "Parts".`,
	}));

export default defineConfig([
	globalIgnores(['dist/', 'coverage/', '.demo/']),
	{ linterOptions: { reportUnusedDisableDirectives: 'error' } },

	{
		files: ['nodes/**/*.ts', 'credentials/**/*.ts', 'package.json'],
		extends: [configWithoutCloudSupport],
	},
	{
		files: ['package.json'],
		rules: {
			// Drivers, the S3 client and age are the product. The package is for self-hosted n8n, which installs them.
			'@n8n/community-nodes/no-runtime-dependencies': 'off',
			// The authors publish no e-mail address.
			'@n8n/community-nodes/valid-author': 'off',
			'n8n-nodes-base/community-package-json-author-email-missing': 'off',
		},
	},
	{
		files: ['nodes/**/*.ts'],
		rules: {
			// Users already have n8n's own `postgres` credential: it is reused on purpose, and not defined here.
			'@n8n/community-nodes/no-credential-reuse': 'off',
			'@n8n/community-nodes/valid-credential-references': 'off',
			'n8n-nodes-base/node-class-description-credentials-name-unsuffixed': 'off',
			// The engine throws BackupError, and nodes/shared/errors.ts alone turns it into an error of n8n.
			'@n8n/community-nodes/require-node-api-error': 'off',
		},
	},
	{
		files: ['credentials/{BackupEncryptionApi,BackupStorageApi}.credentials.ts'],
		rules: {
			// The rule guesses by the field's name; "identity" is age's word for the secret key, and a signing key is one.
			'@n8n/community-nodes/credential-unnecessary-password': 'off',
		},
	},

	{
		files: ['**/*.ts'],
		extends: [js.configs.recommended, tseslint.configs.recommendedTypeChecked],
		languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
		rules: {
			'no-restricted-syntax': ['error', ...NO_EMPTY_CATCH],
			// What implements a contract of promises is async so that its errors are rejections, also where it never waits.
			'@typescript-eslint/require-await': 'off',
			// `const { unwanted, ...rest } = …` is how a property is left out.
			'@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
		},
	},
	{
		files: ['test/**/*.ts', 'bench/**/*.ts'],
		rules: {
			// Tests read what other programs wrote, and assert it instead of describing its type.
			'@typescript-eslint/no-unsafe-argument': 'off',
			'@typescript-eslint/no-unsafe-assignment': 'off',
			'@typescript-eslint/no-unsafe-call': 'off',
			'@typescript-eslint/no-unsafe-member-access': 'off',
			'@typescript-eslint/no-unsafe-return': 'off',
		},
	},
	{
		files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
		extends: [js.configs.recommended],
		languageOptions: { globals: { ...globals.node, WebSocket: 'readonly' } },
		rules: {
			'no-restricted-syntax': ['error', ...NO_EMPTY_CATCH],
			'no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
		},
	},

	...LAYERS.map((folders, height) => ({
		files: folders.map((folder) => `core/${folder}/**/*.ts`),
		rules: wall(NO_N8N, NO_NODES, NO_PROGRAMS, ...upwards(height)),
	})),
	{
		files: ['core/verbs/**/*.ts'],
		rules: wall(NO_N8N, NO_NODES, NO_PROGRAMS, NO_KINDS, {
			group: ['**/report/**'],
			message: 'A verb does its work; what to say of it is for who called it.',
		}),
	},
	{
		files: ['core/report/**/*.ts'],
		rules: wall(NO_N8N, NO_NODES, NO_PROGRAMS, {
			group: ['**/verbs/**', '**/sources/**', '**/storage/**', '**/streams/**', '**/codecs/**'],
			message: 'A report is made of items that came in, or of records that it reads, and changes nothing.',
		}),
	},
	{
		files: [
			'core/sources/postgres/dump/engines/{native,client-program}.ts',
			'core/sources/postgres/physical/drill/{programs,server}.ts',
			'core/sources/postgres/restore/{archive-statements,native}.ts',
			'core/sources/postgres/drill/embedded/cage.ts',
		],
		rules: wall(NO_N8N, NO_NODES, ...upwards(heightOf('sources'))),
	},
	{
		files: ['nodes/**/*.ts', 'credentials/**/*.ts'],
		rules: wall(
			NO_PROGRAMS,
			{
				group: ['stream', 'node:stream', 'stream/*', 'node:stream/*'],
				message: 'A node contains no stream: that is for core.',
			},
			{
				group: ['crypto', 'node:crypto', 'zlib', 'node:zlib', 'age-encryption'],
				message: 'A node contains no cryptography and no compression: that is for core.',
			},
			{
				// It reads and makes keys, as the credentials need it; it encrypts nothing.
				group: [
					'**/core/codecs/**',
					'!**/core/codecs/age/',
					'!**/core/codecs/age/keys',
					'!**/core/codecs/sshsig/',
					'!**/core/codecs/sshsig/keys',
				],
				allowTypeImports: true,
				message: 'Codecs belong to the pipeline: a node may only name their types.',
			},
			{
				group: ['**/core/storage/**', '!**/core/storage/config', '!**/core/storage/create', '!**/core/storage/storage'],
				message: 'A node does not know which storage it has: use core/storage/create.',
			},
			{ group: ['**/bin/**'], message: 'nodes and bin do not know each other.' },
		),
	},
]);
