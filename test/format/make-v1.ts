/**
 * Made the repository in v1/, once, with version 0.1.0. Not to be made again after the first release: it stands for what people have stored.
 * A change of the format gets a folder of its own, and v1 stays. This file says where its bytes came from:
 *
 *   node --require test/support/typescript.cjs test/format/make-v1.ts <empty folder>
 */
import { generateSigningKey, parseSigningKey } from '../../core/codecs/sshsig/keys';
import type { Authority } from '../../core/records/authority';
import { postgresDrill } from '../../core/sources/postgres/drill/drill';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { backUp } from '../../core/verbs/backup/backup';
import { generateIdentity } from '../../core/codecs/age/keys';
import type { DecryptionKeys, Encryption } from '../../core/codecs/age/age';
import { DEFAULT_DUMP_OPTIONS, postgresSource, type PostgresDumpOptions } from '../../core/sources/postgres/dump/dump';
import { Repository } from '../../core/records/repository';
import { openStorage } from '../../core/storage/create';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { type VerifyRequest } from '../../core/verbs/verify/types';
import { sql, startPostgres } from '../support/postgres';
import { rowsAsText } from './rows';

const PASSPHRASE = 'throw-away passphrase of the format';

async function make(folder: string): Promise<void> {
	const { signal } = new AbortController();
	const signing = generateSigningKey('throw-away key of the format');
	const authority = { key: parseSigningKey(signing.secret), signers: null };
	const server = await startPostgres(15);
	try {
		const shop = await server.createDatabase('shop');
		await sql(shop, await readFile(path.join(__dirname, 'v1.sql'), 'utf8'));
		const repositoryFolder = path.join(folder, 'repository');
		mkdirSync(repositoryFolder);
		const storage = openStorage(`file://${repositoryFolder}`, {});
		const { identity, recipient } = await generateIdentity();

		const store = async (
			group: string,
			encryption: Encryption | null,
			proveWith: DecryptionKeys | undefined,
			options: Partial<PostgresDumpOptions>,
			by?: Authority,
		) => {
			const source = postgresSource(shop, { ...DEFAULT_DUMP_OPTIONS, ...options });
			return (await backUp({ storage, group, source, encryption, proveWith, authority: by, signal })).manifest.label;
		};
		const keys = { identities: [identity] };
		const recipients = await store(
			'postgres/recipient',
			{ recipients: [recipient] },
			keys,
			{
				globals: 'roles',
				contentHash: true,
			},
			authority,
		);
		const passphrase = await store('postgres/passphrase', { passphrase: PASSPHRASE }, undefined, {});
		const clear = await store('postgres/clear', null, undefined, {});

		const repository = await Repository.open(storage);
		const signed = await Repository.open(storage, { authority });
		const verify = async (
			request: Pick<VerifyRequest, 'group' | 'label' | 'depth' | 'keys' | 'drills'>,
			outcome = 'ok',
		) => {
			const isSigned = request.group === 'postgres/recipient';
			const result = await verifyBackup({ repository: isSigned ? signed : repository, signal, ...request });
			if (result.outcome !== outcome) throw new Error(`${request.group}: ${result.outcome}, ${result.message}`);
		};
		const scratch = { kind: 'server', target: server.target() } as const;
		const drills = [postgresDrill({ scratch })];
		await verify({ group: 'postgres/recipient', label: recipients, depth: 'stored', keys: null });
		await verify({ group: 'postgres/recipient', label: recipients, depth: 'restored', keys, drills });
		await verify({
			group: 'postgres/passphrase',
			label: passphrase,
			depth: 'readable',
			keys: { passphrase: PASSPHRASE },
		});
		// A drill of the past that found the backup bad: evidence stays, whatever comes later.
		const lie = { name: 'a lie', sql: 'SELECT false' };
		const drill = {
			repository,
			signal,
			group: 'postgres/clear',
			label: clear,
			depth: 'restored',
			keys: null,
			drills: [postgresDrill({ scratch, assertions: [lie] })],
		} as const;
		const bad = await verifyBackup(drill);
		if (bad.outcome !== 'bad') throw new Error(`${bad.outcome}, ${bad.message}`);

		await storage.close();
		writeFileSync(
			path.join(folder, 'key.txt'),
			`# Committed on purpose: a throw-away key that protects nothing but the rows of ../v1.sql.\n# public key: ${recipient}\n${identity}\n`,
		);
		writeFileSync(path.join(folder, 'passphrase.txt'), PASSPHRASE);
		writeFileSync(path.join(folder, 'signer.pub'), `${signing.publicKey}\n`);
		const rows = await rowsAsText(async (text, values) => await sql(shop, text, values));
		writeFileSync(path.join(folder, 'rows.json'), `${JSON.stringify(rows, null, '\t')}\n`);
	} finally {
		await server.stop();
	}
}

void make(path.resolve(process.argv[2]!));
