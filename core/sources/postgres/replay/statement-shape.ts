/** What the words and parentheses of a statement say about where it ends and what follows it. */

/** Enough to see `CREATE OR REPLACE FUNCTION`. */
const MAX_HEAD = 4;

/**
 * Words decide two things. COPY … FROM stdin has data behind it. And the semicolons between BEGIN ATOMIC and END of
 * CREATE FUNCTION or PROCEDURE do not end it. psql counts every BEGIN there, and so never finds the end of a function
 * whose name is `begin`; BEGIN ATOMIC is what the grammar demands, and only CASE can nest in it.
 */
export class StatementShape {
	/** How many are open. */
	parentheses = 0;
	/** Whether the statement is a COPY … FROM stdin. */
	copiesIn = false;
	/** Open BEGIN ATOMIC and CASE of a routine's body. */
	#blocks = 0;
	#lastWord = '';
	#head: string[] = [];

	reset(): void {
		this.parentheses = this.#blocks = 0;
		this.copiesIn = false;
		this.#lastWord = '';
		this.#head = [];
	}

	/** What a semicolon does not end, or null when it ends the statement. */
	get open(): string | null {
		if (this.parentheses > 0) return 'a parenthesis';
		return this.#blocks > 0 ? 'the body of a function' : null;
	}

	/** The next word, in lower case, outside of strings, quoted names and comments. */
	word(word: string): void {
		if (this.#head.length < MAX_HEAD) this.#head.push(word);
		if (this.parentheses === 0) {
			if (this.#blocks > 0) {
				if (word === 'case') this.#blocks++;
				else if (word === 'end') this.#blocks--;
			} else if (word === 'atomic' && this.#lastWord === 'begin' && this.#createsRoutine()) this.#blocks = 1;
			else if (word === 'stdin' && this.#lastWord === 'from' && this.#head[0] === 'copy') this.copiesIn = true;
		}
		this.#lastWord = word;
	}

	/** Anything but a word, a blank or a comment: words before and after it do not belong together. */
	other(): void {
		this.#lastWord = '';
	}

	#createsRoutine(): boolean {
		const [first, second, third, fourth] = this.#head;
		const object = second === 'or' && third === 'replace' ? fourth : second;
		return first === 'create' && (object === 'function' || object === 'procedure');
	}
}
