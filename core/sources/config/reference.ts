import type { ConfigKind } from './kinds.ts';

/** A file that another one names. */
export interface Reference {
	/** Absolute; `*` and `?` stand for names. */
	path: string;
	/** Where its place says what it is. */
	kind: ConfigKind | null;
	/** Whether what names it does not work without it. */
	required: boolean;
}
