/**
 * The thread in which PGlite runs: PostgreSQL in WebAssembly, blocking as C does. It takes messages of PostgreSQL's own
 * protocol as bytes, so that a dump's statements need not become text, and COPY needs no detour.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite, type Extension, type messages } from '@electric-sql/pglite';
import type { Answer, Refusal, ThreadInput } from './messages.ts';

/**
 * What is restored here is thrown away: nothing has to survive a crash. `search_path` as on any server, PGlite has only
 * public.
 */
const SETTINGS = {
	search_path: '"$user", public',
	synchronous_commit: 'off',
	full_page_writes: 'off',
	wal_level: 'minimal',
	max_wal_senders: '0',
};

const { task, folder, server, initdb, modules } = workerData as ThreadInput;

async function open(): Promise<PGlite> {
	const extensions: Record<string, Extension> = {};
	for (const name of modules) {
		const module = (await import(`@electric-sql/pglite/contrib/${name}`)) as Record<string, Extension>;
		extensions[name] = module[name]!;
	}
	const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
	return await PGlite.create({
		dataDir: folder,
		pgliteWasmModule: server,
		initdbWasmModule: initdb,
		extensions,
		startParams: [...PGlite.defaultStartParams, ...settings],
	});
}

async function answer(database: PGlite, message: Uint8Array): Promise<Answer> {
	const result: Answer = { columns: [], rows: [], tag: null, refusal: null, warnings: [], status: null };
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

function refusal({ severity, code, message, detail, hint, where }: messages.DatabaseError): Refusal {
	return { severity: severity ?? '', code: code ?? '', message, detail, hint, where };
}

async function run(): Promise<void> {
	const database = await open();
	if (task === 'create') await database.close();
	else {
		parentPort!.on('message', (message: Uint8Array) => {
			void answer(database, message).then((said) => parentPort!.postMessage(said));
		});
	}
	parentPort!.postMessage(null);
}

void run();
