/** Places of a configuration file that can hold a secret, as its format's parser finds them. */

/** What stands in the place of a secret. It is a plain word in every format, so that only numbers and blocks need quotes for it. */
export const REMOVED = 'REMOVED-BY-BACKUP';

/** One value, or one piece of free text, of a file. */
export interface Passage {
	/** The keys that lead to it, from the outside; empty for a comment and for free text. */
	keys: readonly string[];
	/** Where it begins and ends in the text of the file, without its quotes. */
	start: number;
	end: number;
	/** What it says to the program that reads it. */
	text: string;
	/** The name that something beside it gives to it, as in `name: PASSWORD, value: x`. */
	named?: string;
	/** How a text is written at its place; absent where it stands there as it is. */
	escape?: (text: string) => string;
	/** How the whole of it is replaced, where that is more than what lies between start and end. */
	whole?: { start: number; end: number; text: string };
	/** It is a comment or free text, where a value may go on to the end of its line. */
	free?: true;
}

/** A replacement in the text of a file. */
export interface Edit {
	start: number;
	end: number;
	text: string;
	/** The key that the secret had, or what it looked like. */
	where: string;
}

/** A file that its format's parser does not take. The message says why, without a word of the file. */
export class UnreadableFile extends Error {
	override readonly name = 'UnreadableFile';
}
