import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import { type ReplayOptions } from '../../../../core/sources/postgres/replay/types';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { definitionOf, rowsOf } from '../../../support/by-hand';
import { type OwnServer, sharedPostgres, startPostgres } from '../../../support/postgres';
import { startSsh, type SshServer } from '../../../support/ssh';
import { makeCertificates, type Certificates } from '../../../support/tls';

const signal = new AbortController().signal;

describe('a replay', () => {
	let folder: string;
	let certificates: Certificates;
	let server: OwnServer;
	let ssh: SshServer;
	let original: DatabaseTarget;
	let dumped: Buffer;
	let empty: DatabaseTarget;

	beforeAll(async () => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'replay-targets-'));
		certificates = await makeCertificates(folder);
		const { certPem: cert, keyPem: key } = certificates;
		[server, ssh] = await Promise.all([startPostgres(15, { tls: { cert, key, required: true } }), startSsh()]);
		// The roles of this schema are needed on the server that is new.
		await server.createDatabase(undefined, { load: 'many-kinds' });
		original = await (await sharedPostgres(15)).createDatabase(undefined, { load: 'many-kinds' });
		const request = { target: original, format: 'plain', filter: {}, lockTimeoutMs: 10_000 } as const;
		dumped = await buffer((await builtinEngine().start(request, { signal })).body);
	}, 60_000);
	afterAll(async () => {
		await Promise.all([server.stop(), ssh.stop()]);
		fs.rmSync(folder, { recursive: true });
	});
	beforeEach(async () => {
		empty = await server.createDatabase();
	});

	async function restoreThrough(more: Partial<DatabaseTarget>, options: Partial<ReplayOptions> = {}): Promise<void> {
		await replay(Readable.from([dumped]), { ...empty, ...more }, { signal, ...options });
		expect(await definitionOf(empty)).toBe(await definitionOf(original));
		expect(await rowsOf(empty)).toEqual(await rowsOf(original));
	}

	it('works over TLS, with the server’s certificate verified', async () => {
		await restoreThrough({ tls: 'verify', ca: certificates.caPem });
	});

	it('works through an SSH tunnel with TLS inside, over several connections, and leaves none of them', async () => {
		const target = { tls: 'verify', ca: certificates.caPem, ssh: ssh.tunnel } as const;
		await restoreThrough(target, { connections: 3 });
		while ((await ssh.sessions()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
	});

	it('writes nothing to a server that nobody we trust vouches for', async () => {
		const body = Readable.from([dumped]);
		const target = { ...empty, tls: 'verify' } as const;
		await expect(replay(body, target, { signal })).rejects.toMatchObject({ code: 'untrusted-certificate' });
		expect(body.destroyed).toBe(true);
	});
});
