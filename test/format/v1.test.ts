/**
 * The repository in v1/ stands for what people have stored with version 0.1.0: every later version lists, verifies and
 * restores it, and it opens by hand. A test here that fails is a promise that was broken: mend the program, not the files.
 * The identity and the passphrase beside it are committed on purpose; they protect nothing.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEvidence } from '../../core/records/evidence';
import { parseIdentities } from '../../core/codecs/age/keys';
import type { DecryptionKeys } from '../../core/codecs/age/age';
import type { DatabaseFacts } from '../../core/sources/postgres/dump/contents';
import type { Scratch } from '../../core/sources/postgres/drill/scratch-database';
import { openBackup } from '../../core/verbs/open-backup';
import type { RewriteRules } from '../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { parseSigners } from '../../core/records/authority';
import { Repository } from '../../core/records/repository';
import { restoreDatabase, withDrill } from '../support/database-verbs';
import { openStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { clientEnvironment, sh } from '../support/document';
import { type OwnServer, sharedPostgres, sql, startPostgres } from '../support/postgres';
import { rowsAsText } from './rows';

const v1 = join(__dirname, 'v1');
const text = (name: string) => readFileSync(join(v1, name), 'utf8');
const passphrase = text('passphrase.txt');
const expectedRows = JSON.parse(text('rows.json')) as Record<string, string[]>;
const { signal } = new AbortController();

interface Kept {
	group: string;
	label: string;
	keys: DecryptionKeys | null;
	/** What its evidence says, from its names. */
	verifications: Array<{ depth: string; ok: boolean }>;
	rules: RewriteRules;
}
const KEPT: Record<string, Kept> = {
	'encrypted to a recipient': {
		group: 'postgres/recipient',
		label: '20261127T063159Z-full-rtaz',
		keys: { identities: parseIdentities(text('key.txt')) },
		verifications: [
			{ depth: 'stored', ok: true },
			{ depth: 'restored', ok: true },
		],
		rules: { owners: 'keep', privileges: 'keep' },
	},
	'encrypted with a passphrase': {
		group: 'postgres/passphrase',
		label: '20261127T063159Z-full-bkph',
		keys: { passphrase },
		verifications: [{ depth: 'readable', ok: true }],
		rules: { owners: 'drop', privileges: 'drop' },
	},
	'not encrypted': {
		group: 'postgres/clear',
		label: '20261127T063203Z-full-nb9m',
		keys: null,
		verifications: [{ depth: 'restored', ok: false }],
		rules: { owners: 'drop', privileges: 'drop' },
	},
};
const TABLES = 5;
const ROWS = Object.entries(expectedRows)
	.filter(([name]) => name !== 'public.invoice' && name !== 'public.product_id_seq' && !name.startsWith('large'))
	.reduce((sum, [, rows]) => sum + rows.length, 0);

describe('the repository of format 1', () => {
	let folder: string;
	let storage: Storage;
	let repository: Repository;
	/** Has none of the roles. */
	let server: OwnServer;
	beforeAll(async () => {
		folder = mkdtempSync(join(tmpdir(), 'format-'));
		cpSync(join(v1, 'repository'), folder, { recursive: true });
		storage = openStorage(`file://${folder}`, {});
		repository = await Repository.open(storage);
		server = await startPostgres(15);
	}, 120_000);
	afterAll(async () => {
		await storage.close();
		await server.stop();
		rmSync(folder, { recursive: true, force: true });
	});

	const queryOf =
		(target: DatabaseTarget) =>
		async <Row extends object>(query: string, values?: unknown[]) =>
			await sql<Row>(target, query, values);

	it('is listed with all that the names of its objects say', async () => {
		const listed = await (await Repository.open(openStorage(`file://${join(v1, 'repository')}`, {}))).list();
		expect(listed.map(({ group, label, verifications }) => [group, label, verifications])).toEqual(
			Object.values(KEPT)
				.sort((a, b) => a.group.localeCompare(b.group))
				.map((kept) => [
					kept.group,
					kept.label,
					kept.verifications.map((one) => expect.objectContaining({ ...one, at: expect.any(Number) })),
				]),
		);
	});

	it('holds signatures, which count for those who trust the signer', async () => {
		const authority = { key: null, signers: parseSigners(text('signer.pub')) };
		const trusting = await Repository.open(openStorage(`file://${join(v1, 'repository')}`, {}), { authority });
		const [signed, unsigned] = [KEPT['encrypted to a recipient']!, KEPT['not encrypted']!];
		expect(await trusting.readManifest(signed.group, signed.label)).toMatchObject({ label: signed.label });
		for (const name of readdirSync(join(v1, 'repository', signed.group, signed.label))) {
			if (/^verified-.*\.json$/.test(name)) await trusting.readEvidence(signed.group, signed.label, name);
		}
		await expect(trusting.readManifest(unsigned.group, unsigned.label)).rejects.toMatchObject({ code: 'unsigned' });
	});

	describe.each(Object.entries(KEPT))('holds a backup %s', (_, { group, label, keys, rules }) => {
		it('whose manifest, contents and evidence are read', async () => {
			const manifest = await repository.readManifest(group, label);
			expect(manifest).toMatchObject({ format: 1, group, label, type: 'full', program: { version: '0.1.0' } });
			const opened = await openBackup([manifest], { repository, keys, signal, stallTimeoutMs: 60_000 });
			const contents = opened.contents as DatabaseFacts;
			expect(contents).toMatchObject({ database: 'shop', encoding: 'UTF8', largeObjects: 1 });
			expect(contents.tables).toHaveLength(TABLES);
			const evidence = readdirSync(join(v1, 'repository', group, label)).filter((name) =>
				/^verified-.*\.json$/.test(name),
			);
			for (const name of evidence) {
				const found = parseEvidence(text(`repository/${group}/${label}/${name}`), name);
				expect(found).toMatchObject({ format: 1, group, label });
			}
		});

		const scratches: Array<[string, () => Promise<Scratch>]> = [
			['a server of the same version', async () => ({ kind: 'server', target: (await sharedPostgres(15)).target() })],
			['a newer server', async () => ({ kind: 'server', target: (await sharedPostgres(18)).target() })],
			['PostgreSQL within this process', async () => ({ kind: 'embedded' })],
		];
		it.each(['stored', 'readable'] as const)('that is verified as %s', async (depth) => {
			const result = await verifyBackup({ repository, group, label, depth, keys, signal });
			expect(result).toMatchObject({ outcome: 'ok', depth, evidence: expect.stringContaining(`-${depth}-ok.json`) });
		});

		it.each(scratches)(
			'that is verified as restored, by %s',
			async (_, scratch) => {
				const result = await verifyBackup({
					repository,
					group,
					label,
					depth: 'restored',
					keys,
					...withDrill({ scratch: await scratch() }),
					signal,
				});
				expect(result).toMatchObject({ message: expect.any(String), outcome: 'ok' });
				expect(result.comparison).toMatchObject({ ok: true, figures: { tables: TABLES, rows: ROWS, largeObjects: 1 } });
			},
			120_000,
		);

		it('that is restored with every row it was made from', async () => {
			const database = group.replace('/', '_');
			const result = await restoreDatabase({
				repository,
				group,
				label,
				keys,
				server: server.target(),
				into: { mode: 'new', database },
				rules,
				globals: rules.owners === 'keep',
				signal,
			});
			expect(result).toMatchObject({ database, comparison: { ok: true, figures: { tables: TABLES, rows: ROWS } } });
			const restored = server.target(database);
			expect(await rowsAsText(queryOf(restored))).toEqual(expectedRows);
			const [owner] = await sql(
				restored,
				`SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname = 'product'`,
			);
			expect(owner).toEqual({ owner: rules.owners === 'keep' ? 'format_owner' : 'postgres' });
		});
	});

	it.each([
		['recipient', `age -d -i ${v1}/key.txt dump.sql.zst.age | zstd -d`],
		['passphrase', 'age -d dump.sql.zst.age | zstd -d'],
		['clear', 'zstd -d < dump.sql.zst'],
	])('opens by hand: %s', async (name, open) => {
		const { group, label } = Object.values(KEPT).find((kept) => kept.group.endsWith(name))!;
		const target = await (await sharedPostgres(18)).createDatabase();
		// Roles are common ground of all tests.
		const roles = `sed -E '/^(ALTER TABLE .* OWNER TO|GRANT|REVOKE) /d'`;
		await sh(`${open} | ${roles} | psql -X -q -v ON_ERROR_STOP=1 -o /dev/null ${target.database}`, {
			cwd: join(v1, 'repository', group, label),
			env: clientEnvironment(target),
			passphrase: name === 'passphrase' ? passphrase : undefined,
		});
		expect(await rowsAsText(queryOf(target))).toEqual(expectedRows);
	});
});
