/** Verifies one backup, as deep as asked for, and keeps apart what is wrong with the backup from what is wrong around it. */
import type { ErrorCode } from './errors';
import type { Depth } from './evidence';
import type { DecryptionKeys } from './filters/age';
import type { Limits } from './pipeline';
import type { Assertion, AssertionResult } from './postgres/assertions';
import type { Scratch } from './postgres/scratch-database';
import type { Repository } from './repository';

export type { Assertion, AssertionResult } from './postgres/assertions';
export type { Scratch } from './postgres/scratch-database';
export { chooseForVerification, type VerifyChoice } from './verify-choice';

/** As in postgres/compare.ts. */
interface Comparison {
	ok: boolean;
	tables: number;
	rows: number;
	hashed: number;
	largeObjects: number | null;
	differences: Array<{ table: string; expected: string; found: string }>;
}

/** As in postgres/rewrite.ts. */
interface RewriteRules {
	owners: 'keep' | 'drop';
	privileges: 'keep' | 'drop';
	roles?: Readonly<Record<string, string>>;
	only?: { schemas?: string[]; tables?: string[] };
}

export interface VerifyProgress {
	phase: 'stored' | 'readable' | 'restoring' | 'comparing';
	/** Of this phase, so far. */
	bytes: number;
	totalBytes: number;
}

export interface VerifyRequest {
	repository: Repository;
	group: string;
	label: string;
	depth: Depth;
	/** null where no key is at hand: then only `stored` can be proved of an encrypted backup. */
	keys: DecryptionKeys | null;
	/** Where to restore; needed for depth `restored` only. */
	scratch?: Scratch;
	/** Asked of the restored database. */
	assertions?: readonly Assertion[];
	/** How the dump is changed on its way into the scratch database. Default: without owners, privileges and subscriptions. */
	rules?: RewriteRules;
	limits?: Partial<Limits>;
	signal: AbortSignal;
	/** Called about once a second. */
	onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyResult {
	group: string;
	label: string;
	depth: Depth;
	/**
	 * `ok`: all that the depth asks for was proved. `bad`: it was proved that the backup is not what it should be; no
	 * other attempt will change that. `environment`: nothing was proved, for a reason outside of the backup.
	 */
	outcome: 'ok' | 'bad' | 'environment';
	/** null when it is ok. */
	code: ErrorCode | null;
	/** Lower case, for people. May name tables. */
	message: string;
	hint: string | null;
	/** ISO 8601. */
	startedAt: string;
	finishedAt: string;
	seconds: number;
	/** How long the scratch database took to become whole: the measured RTO. */
	restoreSeconds: number | null;
	comparison: Comparison | null;
	assertions: AssertionResult[];
	/** Where it was restored, for people. */
	scratch: string | null;
	/** Name of the object beside the backup; null when nothing was proved. */
	evidence: string | null;
	warnings: string[];
}

/**
 * Verifies one backup. Whatever is wrong is a result, not an error.
 * @throws BackupError 'cancelled'; 'invalid-input'; 'not-found' when there is no such backup; 'incomplete' when there
 * are objects of that label but no manifest
 */
export declare function verifyBackup(request: VerifyRequest): Promise<VerifyResult>;
