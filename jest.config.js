/** Tests run on the TypeScript sources; the end-to-end tests use the packed tarball. */
const os = require('node:os');

module.exports = {
	// Tests mostly wait: for servers, disks, processes. On two cores, three at a time take two thirds of the time of two.
	maxWorkers: os.availableParallelism() + 1,
	// Each test file leaves something in its worker; the larger it is, the longer it takes to start a program from it.
	workerIdleMemoryLimit: '256MB',
	testEnvironment: 'node',
	// Tests run in a context of node:vm, where each look at a global is slow: the loops of checksums would take most of the time. Not Buffer,
	// which packages declare themselves.
	sandboxInjectedGlobals: ['Math', 'Number', 'BigInt', 'Uint8Array', 'Object', 'Array', 'String', 'JSON', 'Error'],
	testMatch: ['<rootDir>/test/**/*.test.ts'],
	testPathIgnorePatterns: ['/node_modules/'],
	modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/test/e2e/n8n/'],
	transform: {
		'^.+\\.(ts|js|mjs)$': [
			'@swc/jest',
			{
				jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
				module: { type: 'commonjs' },
				sourceMaps: 'inline',
			},
		],
	},
	// These packages ship ES modules only; jest loads CommonJS.
	transformIgnorePatterns: ['/node_modules/(?!(age-encryption|@noble|@scure|cctv-age|toml-eslint-parser)/)'],
	testTimeout: 180_000,
	setupFilesAfterEnv: ['<rootDir>/test/support/equal-bytes.cjs'],
	globalSetup: '<rootDir>/test/support/global-setup.ts',
	globalTeardown: '<rootDir>/test/support/global-teardown.ts',
	reporters: ['<rootDir>/test/support/reporter.cjs', 'default'],
};
