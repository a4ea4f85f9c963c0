/** What GitHub runs for a push and for a release: .github/workflows, and what npm would publish. Their syntax is prettier's to check. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Document, PROJECT } from '../support/document';

const FOLDER = '.github/workflows';
const { scripts, version, repository, bugs } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
	scripts: Record<string, string>;
	version: string;
	repository: { url: string };
	bugs: { url: string };
};
/** Commands of npm itself. */
const NPM = ['ci', 'publish'];

const read = (name: string) => readFileSync(join(PROJECT, FOLDER, name), 'utf8');
/** The values of a key, wherever it stands. */
const valuesOf = (text: string, key: string) =>
	[...text.matchAll(new RegExp(`^ *(?:- )?${key}: (.+)$`, 'gm'))].map((match) => match[1]!);
/** A top-level job, as text. */
const job = (text: string, name: string) => new RegExp(`^ {2}${name}:\n(?:(?: {4}.*)?\n)+`, 'm').exec(text)![0];

const workflows = readdirSync(join(PROJECT, FOLDER)).map((name) => ({ name, text: read(name) }));
const test = read('test.yml');
const release = read('release.yml');

describe.each(workflows)('the workflow $name', ({ text }) => {
	it('runs only commands that exist', () => {
		const commands = valuesOf(text, 'run').flatMap((line) => [...line.matchAll(/\bnpm (run )?([\w-]+)/g)]);
		for (const [, run, name] of commands) expect(run ? Object.keys(scripts) : ['test', ...NPM]).toContain(name);
		expect(text).not.toMatch(/run: [|>]/);
	});

	it('uses no action without a version, and no token for reading the code', () => {
		for (const used of valuesOf(text, 'uses')) expect(used).toMatch(/^(?:\.\/|[\w-]+\/[\w-]+@(?:v\d+|[0-9a-f]{40})$)/);
		const checkouts = text.match(/actions\/checkout@.*\n.*\n.*persist-credentials: false/g) ?? [];
		expect(checkouts).toHaveLength(text.split('actions/checkout@').length - 1);
	});

	it('may read the code and nothing else, unless a job says so', () => {
		expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m);
		expect(text).not.toMatch(/write-all|pull_request_target/);
	});

	it('shows no secret, and runs no text that somebody else has written', () => {
		for (const line of text.split('\n').filter((each) => each.includes('${{'))) {
			expect(line.trim()).toBe('NODE_AUTH_TOKEN: ${{ secrets.NPM_TOKEN }}');
		}
	});
});

describe('tests at GitHub', () => {
	it('run for every push and every pull request, with Node 20, within an hour', () => {
		expect(test).toMatch(/^on:\n {2}push:\n {4}branches: \['\*\*'\]\n {2}pull_request:\n/m);
		expect(valuesOf(test, 'image')).toEqual([expect.stringMatching(/^node:20-/)]);
		expect(valuesOf(test, 'timeout-minutes')).toEqual(['60']);
		expect(valuesOf(test, 'run')).toEqual(['npm test']);
	});
});

describe('a release', () => {
	const publish = job(release, 'publish');

	it('is made for a tag, after the tests', () => {
		expect(release).toMatch(/^on:\n {2}push:\n {4}tags: \['v\*'\]\n\n/m);
		expect(valuesOf(job(release, 'test'), 'uses')).toEqual([`./${FOLDER}/test.yml`]);
		expect(valuesOf(publish, 'needs')).toEqual(['test']);
		expect(test).toMatch(/^ {2}workflow_call:$/m);
	});

	it('is published with provenance, after it was built, and only there may a job speak for this repository', () => {
		const [, , build, last] = valuesOf(publish, 'run');
		expect(build).toBe('npm run build');
		expect(last).toMatch(/^npm publish .*--provenance --access public$/);
		expect(publish).toMatch(/permissions:\n {6}contents: read\n(?: {6}#.*\n)*? {6}id-token: write\n/);
		expect(
			workflows
				.map(({ text }) => text)
				.join('')
				.match(/: write$/gm),
		).toHaveLength(1);
	});

	it('is refused when its tag is not the version', () => {
		const [check] = valuesOf(publish, 'run');
		const exitCode = (tag: string) =>
			spawnSync('bash', ['-e', '-c', check!], { cwd: PROJECT, env: { PATH: process.env.PATH, GITHUB_REF_NAME: tag } })
				.status;
		expect(exitCode(`v${version}`)).toBe(0);
		for (const tag of [version, `v${version}1`, 'v', 'v99.0.0']) expect(exitCode(tag)).toBe(1);
	});

	it('says where its code is and where to report bugs', () => {
		expect(repository.url).toMatch(/^git\+https:\/\/github\.com\/.+\.git$/);
		expect(bugs.url).toBe(repository.url.replace(/^git\+|\.git$/g, '') + '/issues');
	});

	it('holds all pages and pictures of docs, README and CHANGELOG', () => {
		const args = ['pack', '--dry-run', '--ignore-scripts', '--json'];
		const { stdout } = spawnSync('npm', args, { cwd: PROJECT, encoding: 'utf8' });
		const [{ files }] = JSON.parse(stdout) as [{ files: Array<{ path: string }> }];
		const pages = readdirSync(join(PROJECT, 'docs'), { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile())
			.map(({ parentPath, name }) => relative(PROJECT, join(parentPath, name)));
		expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining([...pages, 'README.md', 'CHANGELOG.md']));
	});
});

it('CONTRIBUTING.md links only to files that exist', () => {
	expect(new Document('CONTRIBUTING.md').brokenLinks()).toEqual([]);
});
