/** Clusters that work while they are backed up, restored to moments at which all that was committed is known, and compared with that. */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import type { RecoveryTarget } from '../../../../core/sources/postgres/physical/restore/recovery';
import { giveToServer } from '../../../../scripts/lib/postgres.mjs';
import { ClusterLoad, type ClusterState, soundnessOf, stateOf, targetAt } from '../../../support/cluster-load';
import { ClusterBackups, reachableFolder, startRestored } from '../../../support/clusters';
import { type Major, type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { rounds, tell } from '../../../support/soak';
import { startSsh, type SshServer } from '../../../support/ssh';
import { makeCertificates } from '../../../support/tls';
import { until } from '../../../support/until';

interface Kind {
	major: Major;
	/** Megabytes of a file of the log. */
	segment: 1 | 16 | 64;
	checksums: boolean;
	by: 'TCP' | 'TLS' | 'TLS through SSH';
}

/** What a PostgreSQL without checksums is asked for, since 18 has them if nobody says otherwise. */
function initdbOptions({ major, segment, checksums }: Kind): string[] {
	const sums = checksums ? ['--data-checksums'] : major === 18 ? ['--no-data-checksums'] : [];
	return [`--wal-segsize=${segment}`, ...sums];
}

const KINDS = rounds<Kind[]>(
	[{ major: 17, segment: 1, checksums: false, by: 'TLS through SSH' }],
	[
		{ major: 13, segment: 16, checksums: false, by: 'TCP' },
		{ major: 15, segment: 64, checksums: true, by: 'TLS' },
		{ major: 17, segment: 1, checksums: false, by: 'TLS through SSH' },
		{ major: 18, segment: 16, checksums: true, by: 'TCP' },
	],
);
const RESTORES = rounds(1, 20);
const MARKS = rounds(2, 8);

let top: string;
let ssh: SshServer | undefined;
const servers: OwnServer[] = [];

beforeEach(() => {
	top = reachableFolder();
});
afterEach(async () => {
	await Promise.all(servers.splice(0).map(async (server) => await server.stop()));
	await ssh?.stop();
	ssh = undefined;
	fs.rmSync(top, { recursive: true, force: true });
});

/** The server, with two tablespaces, and how backups reach it. */
async function begin(kind: Kind): Promise<{ server: OwnServer; target: DatabaseTarget; shop: DatabaseTarget }> {
	const { certPem: cert, keyPem: key, caPem } = await makeCertificates(top);
	const server = await startPostgres(kind.major, {
		initdb: initdbOptions(kind),
		tls: { cert, key },
		// Without whole pages in its log, a torn page that is copied would stay torn: a base backup asks for them all the same.
		settings: {
			...{ synchronous_commit: 'on', full_page_writes: 'off', max_slot_wal_keep_size: '4GB', autovacuum: 'on' },
			...(kind.major >= 17 && { summarize_wal: 'on' }),
		},
	});
	servers.push(server);
	for (const name of ['fast', 'slow']) {
		const space = path.join(top, name);
		fs.mkdirSync(space);
		await giveToServer(space);
		await sql(server.target(), `CREATE TABLESPACE ${name} LOCATION '${space}'`);
	}
	const shop = await server.createDatabase('shop');
	if (kind.by === 'TLS through SSH') ssh = await startSsh();
	const target: DatabaseTarget =
		kind.by === 'TCP' ? shop : { ...shop, tls: 'verify', ca: caPem, ...(ssh && { ssh: ssh.tunnel }) };
	return { server, target, shop };
}

it.each(KINDS)(
	'PostgreSQL $major with log in files of $segment MB, checksums $checksums, by $by: each moment comes back to the transaction',
	async (kind) => {
		const { server, target, shop } = await begin(kind);
		const backups = new ClusterBackups();
		await backups.log(target);
		const load = await ClusterLoad.start(shop, ['fast', 'slow']);
		/** The base backups, and the first mark behind each. */
		const bases: Array<{ label: string; from: number }> = [];
		let pieces = 0;
		let isCollected = false;
		const collecting = (async () => {
			while (!isCollected) {
				if ((await backups.log(target)) !== null) pieces++;
				await delay(100);
			}
		})();
		let end: ClusterState;
		try {
			await load.mark();
			for (const type of kind.major >= 17 ? (['full', 'incremental'] as const) : (['full', 'full'] as const)) {
				const backing = backups.base(target, { type });
				await Promise.race([backing, delay(300)]);
				await load.mark();
				bases.push({ label: await backing, from: load.marks.length });
				for (let n = 0; n < MARKS; n++) {
					await delay(rounds(200, 500));
					await load.mark();
				}
			}
			await load.stop();
			end = await stateOf(shop);
		} finally {
			isCollected = true;
			await collecting;
			await load.stop();
		}
		await until('nothing new is in the log', async () => (await backups.log(target)) === null);
		await server.stop();

		for (let n = 0; n < RESTORES; n++) {
			const { label, from } = bases[(n + 1) % bases.length]!;
			const mark = load.marks[from + Math.floor(Math.random() * (load.marks.length - from))]!;
			const how = (['time', 'newest', 'lsn', 'name'] as const)[n % 4]!;
			const wanted: RecoveryTarget = how === 'newest' ? { kind: 'newest' } : targetAt(mark, how);
			const folder = path.join(top, `restored-${n}`);
			const spaces = ['fast', 'slow'].map((name) => [path.join(top, name), path.join(folder, name)] as const);
			fs.mkdirSync(folder);
			const to = path.join(folder, 'data');
			await backups.restore(wanted, { to, tablespaces: Object.fromEntries(spaces), label });
			await giveToServer(folder);
			const restored = await startRestored(kind.major, to, server.password);
			try {
				const back = restored.target('shop');
				const expected = how === 'newest' ? end : mark.state;
				expect({ how, mark: mark.name, ...(await stateOf(back)) }).toEqual({ how, mark: mark.name, ...expected });
				expect(await soundnessOf(back, kind.major)).toEqual({ wrong: [], unlogged: 0 });
			} finally {
				await restored.stop();
				fs.rmSync(folder, { recursive: true });
			}
		}
		const [transfers] = end.ledger.split(' ');
		tell(
			`PostgreSQL ${kind.major}: ${transfers} transfers in ${pieces} pieces of log and ${bases.length} base backups, ${RESTORES} restores right`,
		);
	},
	rounds(240_000, 3_600_000),
);
