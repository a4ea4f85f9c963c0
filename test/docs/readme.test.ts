/** The commands of the README, run as they stand there but for the names of places and people. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { POLICY_PRESETS } from '../../core/retention/policy';
import { rowsOf } from '../support/by-hand';
import { clientEnvironment, Document, PROJECT, sh as shell } from '../support/document';
import { sharedPostgres, sql } from '../support/postgres';

const readme = new Document('README.md');

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
		const hook = join(__dirname, '../support/typescript.cjs');
		const program = `#!/bin/sh\nshift\nexec "${process.execPath}" --require "${hook}" "${PROJECT}/bin/n8n-backup.ts" "$@"\n`;
		writeFileSync(join(bin, 'npx'), program, { mode: 0o755 });
		const { PATH, ...client } = clientEnvironment(shop);
		return await shell(script, { cwd: folder, env: { ...client, PATH: `${bin}:${PATH}` } });
	}

	it('makes a backup, lists it, and opens it by hand', async () => {
		mkdirSync(join(folder, 'backups'));
		await sh("age-keygen -o key.txt 2> /dev/null; grep -o 'age1.*' key.txt > recipients.txt");
		const dump = readme.block('n8n-backup dump', {
			'file:///backups': `file://${folder}/backups`,
			"'the password of backup'": `'${shop.password}'`,
			'backup@db.example.org/shop': `${shop.user}@${shop.host}:${shop.port}/${shop.database}`,
		});
		const listed = await sh(dump);
		const [label] = readdirSync(join(folder, 'backups/postgres/shop'));
		expect(listed).toContain(`postgres/shop/${label}  full`);

		const restored = `restored_${Date.now()}`;
		const open = readme.block('createdb', {
			'/backups': `${folder}/backups`,
			'<label>': label!,
			shop_restored: restored,
		});
		await sh(open);
		expect(await rowsOf({ ...shop, database: restored })).toEqual(await rowsOf(shop));
	});

	it('proves the backup by restoring it, and brings it back', async () => {
		const again = `again_${Date.now()}`;
		const printed = await sh(
			readme.block('n8n-backup verify', {
				'file:///backups': `file://${folder}/backups`,
				"'the password of postgres'": `'${shop.password}'`,
				'postgres@db.example.org/shop_again': `${shop.user}@${shop.host}:${shop.port}/${again}`,
			}),
		);
		expect(printed).toMatch(/^postgres\/shop\/.*: ok: /m);
		expect(printed).toContain(`is restored as ${again} on`);
		expect(await rowsOf({ ...shop, database: again })).toEqual(await rowsOf(shop));
	});

	it('copies the backup elsewhere, shows what a policy keeps, and pins', async () => {
		mkdirSync(join(folder, 'elsewhere'));
		const [label] = readdirSync(join(folder, 'backups/postgres/shop'));
		const printed = await sh(
			readme.block('n8n-backup copy', {
				'file:///backups': `file://${folder}/backups`,
				'file:///mnt/elsewhere': `file://${folder}/elsewhere`,
				'<label>': label!,
			}),
		);
		expect(printed).toMatch(new RegExp(`^ *keep +${label} .*daily ${label!.slice(0, 4)}-`, 'm'));
		expect(readdirSync(join(folder, 'elsewhere/postgres/shop', label!))).toEqual(
			expect.arrayContaining(['manifest.json', expect.stringMatching(/^verified-.*-stored-ok\.json$/)]),
		);
		expect(readdirSync(join(folder, 'backups/postgres/shop', label!))).toContain('pin.json');
	});

	it('names every preset', () => {
		for (const key of Object.keys(POLICY_PRESETS)) expect(readme.text).toContain(`\`${key}\``);
	});

	it('names only scripts that exist', () => {
		const { scripts } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { scripts: object };
		for (const [, name] of readme.text.matchAll(/npm (?:run )?(?!install\b)([a-z]+)\b(?=[`\s])/g)) {
			expect(Object.keys(scripts)).toContain(name);
		}
	});

	it('names the setting that n8n 3 needs, as disaster recovery does, with main and workers', () => {
		for (const { text } of [readme, new Document('docs/disaster-recovery.md')]) {
			expect(text).toMatch(/`N8N_UNVERIFIED_PACKAGES_ENABLED=true`[^#]*\bevery worker\b/);
		}
	});

	it('links only to files that exist', () => {
		expect(readme.brokenLinks()).toEqual([]);
	});
});
