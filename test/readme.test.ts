/** The commands of the README, run as they stand there but for the names of places and people. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DatabaseTarget } from '../core/postgres/target';
import { rowsOf } from './support/by-hand';
import { sharedPostgres, sql } from './support/postgres';

const root = join(__dirname, '..');
const execute = promisify(execFile);
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);

/** The block that contains a text; the README has to have it. */
function block(text: string): string {
	const found = blocks.find((each) => each.includes(text));
	if (!found) throw new Error(`the README has no command with ${text}`);
	return found;
}

describe('the README', () => {
	let folder: string;
	let shop: DatabaseTarget;
	beforeAll(async () => {
		folder = mkdtempSync(join(tmpdir(), 'readme-'));
		shop = await (await sharedPostgres(18)).createDatabase();
		await sql(shop, "CREATE TABLE products AS SELECT i AS id, 'product ' || i AS name FROM generate_series(1, 300) i");
	}, 120_000);
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	async function sh(script: string): Promise<string> {
		// The package's program, as it is after an installation.
		const bin = join(folder, 'bin');
		mkdirSync(bin, { recursive: true });
		const hook = join(__dirname, 'support', 'typescript.cjs');
		const program = `#!/bin/sh\nshift\nexec "${process.execPath}" --require "${hook}" "${root}/bin/n8n-backup.ts" "$@"\n`;
		writeFileSync(join(bin, 'npx'), program, { mode: 0o755 });
		const env = {
			PATH: `${bin}:${process.env.PATH}`,
			PGHOST: shop.host,
			PGPORT: String(shop.port),
			PGUSER: shop.user,
			PGPASSWORD: shop.password,
		};
		return (await execute('bash', ['-eo', 'pipefail', '-c', script], { cwd: folder, env })).stdout;
	}

	it('makes a backup, lists it, and opens it by hand', async () => {
		mkdirSync(join(folder, 'backups'));
		await sh("age-keygen -o key.txt 2> /dev/null; grep -o 'age1.*' key.txt > recipients.txt");
		const dump = block('n8n-backup dump')
			.replaceAll('file:///backups', `file://${folder}/backups`)
			.replace("'the password of backup'", `'${shop.password}'`)
			.replace('backup@db.example.org/shop', `${shop.user}@${shop.host}:${shop.port}/${shop.database}`);
		const listed = await sh(dump);
		const [label] = readdirSync(join(folder, 'backups/postgres/shop'));
		expect(listed).toContain(`postgres/shop/${label}  full`);

		const restored = `restored_${Date.now()}`;
		const open = block('createdb')
			.replaceAll('/backups', `${folder}/backups`)
			.replaceAll('<label>', label!)
			.replaceAll('shop_restored', restored);
		await sh(open);
		expect(await rowsOf({ ...shop, database: restored })).toEqual(await rowsOf(shop));
	});

	it('names only scripts that exist', () => {
		const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
		for (const [, name] of readme.matchAll(/npm (?:run )?(demo|test|bench|[a-z]+)\b(?=[`\s])/g)) {
			expect(Object.keys(scripts)).toContain(name);
		}
	});

	it('links only to files that exist', () => {
		for (const [, link] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
			expect([link, existsSync(join(root, link!))]).toEqual([link, true]);
	});
});
