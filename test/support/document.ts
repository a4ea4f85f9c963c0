/** A page of the documentation whose commands are run as they stand there, but for the names of places and people. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const PROJECT = join(__dirname, '../..');

export class Document {
	readonly text: string;
	readonly #blocks: string[];
	readonly #used = new Set<string>();

	/** @param file below the project's folder */
	constructor(private readonly file: string) {
		this.text = readFileSync(join(PROJECT, file), 'utf8');
		this.#blocks = [...this.text.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);
	}

	/** The first block of commands that contains a text, with other names in it. @throws when there is none, or a name is not in it */
	block(text: string, names: Record<string, string> = {}): string {
		const found = this.#blocks.find((each) => each.includes(text));
		if (!found) throw new Error(`${this.file} has no command with ${text}`);
		this.#used.add(found);
		return Object.entries(names).reduce((script, [name, other]) => {
			if (!script.includes(name)) throw new Error(`the command with ${text} in ${this.file} does not name ${name}`);
			return script.replaceAll(name, other);
		}, found);
	}

	/** Commands that nobody has asked for so far. */
	unused(): string[] {
		return this.#blocks.filter((each) => !this.#used.has(each));
	}

	/** Links to files that do not exist. */
	brokenLinks(): string[] {
		const links = [...this.text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
		return links.filter((link) => !existsSync(join(PROJECT, dirname(this.file), link)));
	}
}

/** No page has a command that takes longer with the little that tests have. */
const MAX_MS = 10 * 60_000;

export interface ShellOptions {
	cwd: string;
	env: NodeJS.ProcessEnv;
	/** What is typed on a terminal whenever a program asks for a passphrase. Then what is shown holds errors too. */
	passphrase?: string;
}

/**
 * Runs commands in bash, as the page says to: until the first one that fails.
 * @returns what they print
 * @throws with what they printed, when one fails
 */
export async function sh(script: string, { cwd, env, passphrase }: ShellOptions): Promise<string> {
	// Bash whose input is a socket takes itself for one that rshd started, and would read the settings of the user.
	const bash = ['bash', '--norc', '-eo', 'pipefail', '-c', script];
	const [program, ...args] =
		passphrase === undefined ? bash : ['script', '-qec', 'exec bash --norc -eo pipefail -c "$SCRIPT"', '/dev/null'];
	const child = spawn(program!, args, {
		cwd,
		env: { ...env, SCRIPT: script },
		stdio: ['pipe', 'pipe', 'pipe'],
		timeout: MAX_MS,
	});
	let shown = '';
	let errors = '';
	let answered = 0;
	child.stdout.on('data', (data: Buffer) => {
		shown += data.toString();
		if (passphrase === undefined) return;
		for (const prompts = shown.split(/passphrase[^\n]*: /).length - 1; answered < prompts; answered++) {
			child.stdin.write(`${passphrase}\n`);
		}
	});
	child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
	if (passphrase === undefined) child.stdin.end();
	return await new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code) => {
			if (code === 0) resolve(shown);
			else reject(new Error(`ended with ${code}: ${shown}${errors}`));
		});
	});
}

/** libpq's environment: where psql and createdb find a server. */
export function clientEnvironment(server: {
	host: string;
	port: number;
	user: string;
	password?: string;
}): NodeJS.ProcessEnv {
	const { host, port, user, password } = server;
	return { PATH: process.env.PATH, PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password };
}
