/** What is found below folders. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type ConfigFinding, discover, type SearchOptions } from '../../../core/sources/config/discover';

let root: string;
beforeEach(() => {
	root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'config-')));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

function write(name: string, text: string): void {
	fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
	fs.writeFileSync(path.join(root, name), text);
}

async function found(folder = root, options?: SearchOptions): Promise<ConfigFinding[]> {
	const all: ConfigFinding[] = [];
	for await (const each of discover([folder], options)) all.push(each);
	return all;
}

it('a compose project with what it names, and what is not there', async () => {
	write(
		'shop/compose.yml',
		`include: [./db/database.yml]
services:
  web:
    extends: { file: base.yaml, service: web }
    env_file: [./web.settings, { path: ./optional.settings, required: false }]
    volumes: ["./app.py:/app/settings.py:ro", "data:/data", "\${HOME}/x:/y"]
    environment: { API_TOKEN: h0rse }
configs: { a: { file: ./missing.conf } }
secrets: { s: { file: ./secret.txt } }
`,
	);
	write('shop/db/database.yml', 'include: ../compose.yml\nservices: {}\n');
	write('shop/web.settings', 'PASSWORD=h0rse\n');
	write('shop/app.py', "SECRET = 'h0rse'\n");
	write('shop/node_modules/x/compose.yml', 'services: {}\n');
	const all = await found();
	const names = all.map((each) => [path.relative(root, each.path), each.kind]);
	expect(names).toEqual([
		['shop/compose.yml', 'compose'],
		['shop/db/database.yml', 'compose'],
		['shop/web.settings', 'env'],
		['shop/app.py', 'settings'],
	]);
	expect(all[0]!.secrets).toEqual(['services.web.environment.API_TOKEN']);
	expect(all[0]!.missing.map((file) => path.basename(file)).sort()).toEqual([
		'base.yaml',
		'missing.conf',
		'secret.txt',
	]);
	expect(JSON.stringify(all)).not.toContain('h0rse');
});

it('nginx with its includes, which end although they go in circles', async () => {
	write('nginx/nginx.conf', 'include sites/*.site;\ninclude nginx.conf;\n');
	write('nginx/sites/a.site', 'include ../nginx.conf;\n');
	expect((await found()).map(({ kind }) => kind)).toEqual(['nginx', 'nginx']);
});

it('links are followed to what lies below the roots, never out of them, and loops end', async () => {
	write('outside/.env', 'A=1\n');
	write('in/store/shop.env', 'A=1\n');
	fs.symlinkSync('../outside/.env', path.join(root, 'in/.env'));
	fs.symlinkSync('.', path.join(root, 'in/loop.env'));
	const skipped: string[] = [];
	const all = await found(path.join(root, 'in'), { skipped: (file) => skipped.push(path.relative(root, file)) });
	expect(all.map((each) => path.relative(root, each.path))).toEqual(['in/store/shop.env']);
	expect(skipped).toEqual(['in/.env']);
});

it('a root that is missing is an error', async () => {
	await expect(found(path.join(root, 'none'))).rejects.toMatchObject({ code: 'not-found' });
});

it('more than allowed is an error, and what is too deep is told', async () => {
	write('a/b/c/.env', 'A=1\n');
	await expect(found(root, { maxEntries: 2 })).rejects.toMatchObject({ code: 'invalid-input' });
	const skipped: string[] = [];
	expect(await found(root, { maxDepth: 2, skipped: (_, reason) => skipped.push(reason) })).toEqual([]);
	expect(skipped).toEqual(['is deeper than 2 folders']);
});

it('a file that is too large is named, with the reason', async () => {
	write('.env', 'A=1\n'.repeat(200_000));
	expect(await found()).toMatchObject([{ kind: 'env', secrets: null, problem: 'is larger than 512 KiB' }]);
});
