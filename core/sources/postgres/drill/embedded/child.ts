/**
 * The process in which PGlite runs: PostgreSQL in WebAssembly, blocking as C does. It takes messages of PostgreSQL's own
 * protocol as bytes, so that a dump's statements need not become text, and COPY needs no detour. It is shut in by the
 * options it is started with (cage.ts) and by what it gives up itself (seal.ts).
 */
import fs from 'node:fs';
import Module from 'node:module';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Extension, messages, PGlite } from '@electric-sql/pglite';
import {
	type DatabaseAnswer,
	type ChildInput,
	type ChildSays,
	HEAD_BYTES,
	LIFELINE,
	type SqlRefusal,
} from './messages.ts';
import { putStandIns, seal } from './seal.ts';

/**
 * What is restored here is thrown away: nothing has to survive a crash. `search_path` as on any server, PGlite has only
 * public.
 */
const SETTINGS = {
	search_path: '"$user", public',
	// WebAssembly's memory never shrinks, and PostgreSQL's own 128 MB are used up by any larger restore.
	shared_buffers: '16MB',
	synchronous_commit: 'off',
	full_page_writes: 'off',
	wal_level: 'minimal',
	max_wal_senders: '0',
};

/** Nobody makes another database here, and the templates are two thirds of a new data directory. */
const DROP_TEMPLATES = [
	"UPDATE pg_database SET datistemplate = false WHERE datname <> 'postgres'",
	'DROP DATABASE template1',
	'DROP DATABASE template0',
];

const [STDIN, STDOUT] = [0, 1];
/** Of Node, before there is a stand-in for it. */
const { permission, reallyExit } = process as unknown as {
	permission: { drop?(scope: string): void };
	reallyExit(this: void, code: number): never;
};
const WATCH_FILE = path.join(path.dirname(process.argv[1]!), `watch${path.extname(process.argv[1]!)}`);

/** The next message; null at the end. Blocks: there is nothing else to do. */
function read(): Buffer | null {
	const head = readWhole(HEAD_BYTES);
	return head && readWhole(head.readUInt32BE());
}

function readWhole(length: number): Buffer | null {
	const bytes = Buffer.allocUnsafeSlow(length);
	for (let at = 0; at < length; ) {
		const count = fs.readSync(STDIN, bytes, at, length - at, null);
		if (count === 0) return null;
		at += count;
	}
	return bytes;
}

function say(said: ChildSays): void {
	const content = Buffer.from(JSON.stringify(said));
	const head = Buffer.alloc(HEAD_BYTES);
	head.writeUInt32BE(content.length);
	for (let rest = Buffer.concat([head, content]); rest.length > 0; ) {
		rest = rest.subarray(fs.writeSync(STDOUT, rest));
	}
}

/** Everything that the database will ever need of Node is loaded here. */
async function open({ task, folder, program, modules }: ChildInput): Promise<PGlite> {
	// By its files: so it is the same in a package as in a checkout, and nothing has to be looked for.
	const require = Module.createRequire(path.join(program, 'index.cjs'));
	const compile = async (file: string) => await WebAssembly.compile(fs.readFileSync(path.join(program, file)));
	const server = await compile('pglite.wasm');
	const { PGlite: Database } = require('./index.cjs') as typeof import('@electric-sql/pglite');
	const extensions: Record<string, Extension> = {};
	for (const name of modules) {
		extensions[name] = (require(`./contrib/${name}.cjs`) as Record<string, Extension>)[name]!;
	}
	const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
	return await Database.create({
		dataDir: folder,
		pgliteWasmModule: server,
		...(task === 'create' && { initdbWasmModule: await compile('initdb.wasm') }),
		extensions,
		startParams: [...Database.defaultStartParams, ...settings],
	});
}

async function answer(database: PGlite, message: Uint8Array): Promise<DatabaseAnswer> {
	const result: DatabaseAnswer = { columns: [], rows: [], tag: null, refusal: null, warnings: [], status: null };
	for (const part of await database.execProtocolStream(message, { syncToFs: false, throwOnError: false })) {
		switch (part.name) {
			case 'rowDescription':
				result.columns = (part as messages.RowDescriptionMessage).fields.map(({ name, dataTypeID }) => ({
					name,
					type: dataTypeID,
				}));
				break;
			case 'dataRow':
				result.rows.push((part as messages.DataRowMessage).fields);
				break;
			case 'commandComplete':
				result.tag = (part as messages.CommandCompleteMessage).text;
				break;
			case 'emptyQuery':
				result.tag = '';
				break;
			case 'notice': {
				const { severity, message: text } = part as messages.NoticeMessage;
				if (severity === 'WARNING') result.warnings.push(text ?? '');
				break;
			}
			case 'error':
				result.refusal ??= refusal(part as messages.DatabaseError);
				break;
			case 'readyForQuery':
				result.status = (part as messages.ReadyForQueryMessage).status;
				break;
		}
	}
	return result;
}

function refusal({ severity, code, message, detail, hint, where }: messages.DatabaseError): SqlRefusal {
	return { severity: severity ?? '', code: code ?? '', message, detail, hint, where };
}

async function run(): Promise<void> {
	const input = JSON.parse(read()!.toString()) as ChildInput;
	for (const descriptor of input.inherited) if (descriptor > LIFELINE) fs.closeSync(descriptor);
	new Worker(WATCH_FILE, { workerData: process.cwd(), resourceLimits: { maxOldGenerationSizeMb: 16 } });
	// Node has that since 24.20; before, what leads to a worker goes with everything else (seal.ts).
	permission.drop?.('worker');
	putStandIns();
	const database = await open(input);
	if (input.task === 'create') {
		for (const statement of DROP_TEMPLATES) await database.exec(statement);
		await database.close();
	}
	seal();
	say(null);
	for (let message = read(); message; message = read()) say(await answer(database, message));
}

run().then(
	() => reallyExit(0),
	(error: unknown) => {
		say({ broken: error instanceof Error ? error.message : String(error) });
		reallyExit(1);
	},
);
