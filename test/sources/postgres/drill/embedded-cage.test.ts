/** What a dump makes the embedded database do reaches nothing of this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AnswerReader } from '../../../../core/sources/postgres/drill/embedded/answers';
import { cageArguments } from '../../../../core/sources/postgres/drill/embedded/cage';
import { openEmbeddedDatabase } from '../../../../core/sources/postgres/drill/embedded/database';
import { type ChildInput, type ChildSays, HEAD_BYTES } from '../../../../core/sources/postgres/drill/embedded/messages';
import { queryMessage } from '../../../../core/sources/postgres/drill/embedded/wire';
import { attack } from '../../../support/cage-attack';
import { type CompiledProgram, compileProgram } from '../../../support/compiled-program';
import { hostileLibrary } from '../../../support/hostile-library';
import { childrenOf, commandLine } from '../../../support/processes';
import { until } from '../../../support/until';

const PROGRAM = fs.realpathSync(path.dirname(require.resolve('@electric-sql/pglite')));
const LIBRARY = '/pglite/data/hostile.so';

/** The statements by which a dump, or a function that it calls, gets a library of its own into the database. */
function loading(script: string): string[] {
	const bytes = hostileLibrary(script).toString('hex');
	return [
		`SELECT pg_catalog.lo_from_bytea(4711, '\\x${bytes}')`,
		`SELECT pg_catalog.lo_export(4711, '${LIBRARY}')`,
		`LOAD '${LIBRARY}'`,
	];
}

function framed(content: Buffer): Buffer {
	const head = Buffer.alloc(HEAD_BYTES);
	head.writeUInt32BE(content.length);
	return Buffer.concat([head, content]);
}

describe('a library that SQL writes and loads', () => {
	it('has its JavaScript not run', async () => {
		const { signal } = new AbortController();
		const database = await openEmbeddedDatabase({ signal, extensions: [] });
		try {
			const [write, store, load] = loading(`(() => { throw new Error('it ran') })()`);
			await database.query(write!);
			await database.query(store!);
			await expect(database.query(load!)).rejects.toMatchObject({
				message: expect.stringMatching(
					/could not load library.*\n.*(?:eval is not defined|Code generation from strings)/,
				),
			});
			expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
		} finally {
			await database.close();
		}
	});

	it('reaches no file, environment, module, network or process even where its JavaScript runs', async () => {
		const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cage-')));
		const home = path.join(folder, 'home');
		fs.mkdirSync(home);
		const secret = path.join(folder, 'secret');
		const outside = path.join(folder, 'outside');
		fs.writeFileSync(secret, 'of others');
		// The walls against code from strings are taken down here, to see the others; Node before 24.20 has no drop.
		const breach = path.join(folder, 'breach.cjs');
		fs.writeFileSync(
			breach,
			`delete process.permission.drop;
			const evaluate = eval;
			Object.defineProperty(Object.prototype, 'eval', { get() { return this === globalThis ? evaluate : undefined } });`,
		);
		const args = cageArguments({ folder: home, program: PROGRAM });
		const weakened = args.filter((arg) => arg !== '--disallow-code-generation-from-strings');
		expect(weakened).toHaveLength(args.length - 1);
		const child = spawn(process.execPath, [`--allow-fs-read=${breach}`, `--require=${breach}`, ...weakened], {
			cwd: home,
			env: { SECRET: 'in the environment' },
			stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
		}) as ReturnType<typeof spawn> & { stdin: NodeJS.WritableStream; stdout: NodeJS.ReadableStream };
		const answers = new AnswerReader();
		const ask = async (message: Buffer) =>
			await new Promise<ChildSays>((resolve, reject) => {
				const onData = (piece: Buffer) => {
					const said = answers.add(piece);
					if (said === undefined) return;
					child.stdout.off('data', onData);
					resolve(said);
				};
				child.stdout.on('data', onData);
				child.once('exit', () => reject(new Error('it is gone')));
				child.stdin.write(framed(message));
			});
		try {
			const input: ChildInput = {
				task: 'serve',
				folder: path.join(home, 'data'),
				program: PROGRAM,
				modules: [],
				inherited: [],
			};
			expect(await ask(Buffer.from(JSON.stringify(input)))).toBeNull();
			const values = JSON.stringify({ secret, outside, inside: home });
			const script = `(() => { throw 'found:' + JSON.stringify((${attack.toString()})({ fs, require, ...${values} })) })()`;
			let last: ChildSays = null;
			for (const statement of loading(script)) last = await ask(queryMessage([Buffer.from(statement)]));
			const message = last && 'refusal' in last ? last.refusal!.message : '';
			const outcomes = JSON.parse(message.slice(message.indexOf('found:') + 'found:'.length)) as Record<string, string>;
			expect(Object.entries(outcomes).filter(([, outcome]) => outcome !== 'refused')).toEqual([]);
			expect(Object.keys(outcomes).length).toBeGreaterThan(20);
			expect(fs.existsSync(outside)).toBe(false);
		} finally {
			child.kill('SIGKILL');
			fs.rmSync(folder, { recursive: true, force: true });
		}
	});
});

describe('the process of an embedded database', () => {
	let program: CompiledProgram;
	let folder: string;
	beforeAll(() => {
		// Paths as they come in containers and on desktops: with commas and spaces, and behind links.
		program = compileProgram();
		folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'a place, with links ')));
		fs.mkdirSync(path.join(folder, 'real, temporary'));
		fs.symlinkSync('real, temporary', path.join(folder, 'temporary'));
		fs.symlinkSync(program.folder, path.join(folder, 'program, linked'));
	});
	afterAll(() => {
		program.remove();
		fs.rmSync(folder, { recursive: true, force: true });
	});

	/** A process from the built files that opens a database and then has it do something without end. */
	function start(): ChildProcess {
		const descriptors = Array.from({ length: 30 }, () => 'ignore' as const);
		const secret = fs.openSync(path.join(folder, 'descriptor'), 'w');
		const script = `
			const { openEmbeddedDatabase } = require('./core/sources/postgres/drill/embedded/database.js');
			openEmbeddedDatabase({ signal: new AbortController().signal, extensions: ['citext'] }).then((database) => {
				console.log('open');
				return database.query('SELECT count(*) FROM pg_catalog.generate_series(1, 1000000000000)');
			});`;
		const child = spawn(process.execPath, ['-e', script], {
			cwd: path.join(folder, 'program, linked'),
			env: { TMPDIR: path.join(folder, 'temporary'), SECRET: 'of the parent', NODE_OPTIONS: '--no-warnings' },
			// Only descriptors behind the first ones are handed on by whoever inherited them.
			stdio: ['ignore', 'pipe', 'inherit', ...descriptors, secret],
		});
		fs.closeSync(secret);
		return child;
	}

	it('has nothing of the one that started it, and is gone with it, whatever it is doing', async () => {
		const parent = start();
		try {
			await new Promise((resolve, reject) => {
				parent.stdout!.once('data', resolve);
				parent.once('exit', () => reject(new Error('it ended')));
			});
			const open = (pid: number) =>
				fs.readdirSync(`/proc/${pid}/fd`).map((name) => fs.readlinkSync(`/proc/${pid}/fd/${name}`));
			const [pid] = childrenOf(parent.pid!) as [number];
			expect(commandLine(pid)).toContain('/embedded/child.js');
			expect(fs.readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('');
			const descriptor = path.join(folder, 'descriptor');
			expect(open(parent.pid!)).toContain(descriptor);
			const [scratch] = fs.readdirSync(path.join(folder, 'real, temporary'));
			const own = path.join(folder, 'real, temporary', scratch!);
			const files = open(pid).filter((name) => name.startsWith('/') && name !== '/dev/null');
			expect(files.filter((name) => !name.startsWith(`${own}/`))).toEqual([]);
			parent.kill('SIGKILL');
			await until('the database is gone', () => !fs.existsSync(`/proc/${pid}`));
			expect(fs.readdirSync(path.join(folder, 'real, temporary'))).toEqual([]);
		} finally {
			parent.kill('SIGKILL');
		}
	});
});

describe('what the process of an embedded database says', () => {
	const answer = { columns: [], rows: [], tag: 'SELECT 0', refusal: null, warnings: [], status: 'I' };
	const said = (value: unknown) => framed(Buffer.from(JSON.stringify(value)));

	it('is put together from any pieces', () => {
		const reader = new AnswerReader();
		for (const value of [null, answer, { broken: 'ENOSPC' }]) {
			const bytes = said(value);
			const results = [...bytes].map((byte) => reader.add(Buffer.from([byte])));
			expect(results.slice(0, -1).every((result) => result === undefined)).toBe(true);
			expect(results.at(-1)).toEqual(value);
		}
	});

	it.each([
		['a length beyond any answer', Buffer.from([0x7f, 0xff, 0xff, 0xff]), 'an answer of 2147483651 bytes'],
		['two answers to one question', Buffer.concat([said(answer), said(answer)]), 'more than one answer'],
		['no JSON', framed(Buffer.from('{')), 'no JSON'],
		['another form', said({ ...answer, rows: [[1]] }), 'JSON of another form'],
		['more than was asked for', said({ ...answer, more: true }), 'JSON of another form'],
	])('is refused when it is %s', (_, bytes, words) => {
		expect(() => new AnswerReader().add(bytes)).toThrow(
			expect.objectContaining({ code: 'restore-failed', message: `the embedded database gave no answer but ${words}` }),
		);
	});
});
