/**
 * S3's Object Lock: a retention time for each version of an object. Governance could be lifted early by a request that
 * says so ("bypass"); nothing here ever does.
 */
import { createHash } from 'node:crypto';
import { BackupError, isBackupError } from '../../base/errors';
import { asked } from '../asked';
import { assertProtection, cannotProtect } from '../protection';
import type { S3Bucket } from './bucket';
import { escape, word } from './text';
import type { Protection } from '../storage';

/** How servers say that a bucket has no Object Lock, or that they do not know what that is. */
const NO_LOCK = ['ObjectLockConfigurationNotFoundError', 'InvalidRequest', 'NotImplemented', 'MethodNotAllowed'];
/** How they say that there is none on this version, or not this version; Ceph uses the bucket's word for the first. */
const NONE_HERE = [
	'NoSuchObjectLockConfiguration',
	'ObjectLockConfigurationNotFoundError',
	'NoSuchKey',
	'NoSuchVersion',
];

export class ObjectLock {
	/**
	 * Whether the bucket was made for locks.
	 * @throws BackupError 'access-denied' when the key may not ask
	 */
	readonly isOn: () => Promise<boolean>;

	constructor(
		private readonly bucket: S3Bucket,
		/** The storage's, for people. */
		private readonly location: string,
	) {
		this.isOn = asked(async () => await this.#askBucket());
	}

	/** @throws BackupError 'unsupported', 'access-denied' */
	async assertOn(): Promise<void> {
		if (!(await this.isOn())) throw cannotProtect(this.location);
	}

	/** The lock of an object's current version, or of another one; null without one, and when there is no such version. */
	async of(name: string, versionId?: string): Promise<Protection | null> {
		try {
			const { body } = await this.bucket.request('see the lock of', name, {
				method: 'GET',
				query: `retention${versionQuery(versionId)}`,
			});
			return protectionOf(word(body, 'Mode'), word(body, 'RetainUntilDate'));
		} catch (error) {
			if (isRefusal(error, NONE_HERE) || isRefusal(error, NO_LOCK)) return null;
			throw withPermissions(error);
		}
	}

	/** Whether a version has a hold on it that has no end. */
	async isHeld(name: string, versionId: string): Promise<boolean> {
		try {
			const request = { method: 'GET', query: `legal-hold${versionQuery(versionId)}` };
			const { body } = await this.bucket.request('see the lock of', name, request);
			return word(body, 'Status') === 'ON';
		} catch (error) {
			if (isRefusal(error, NONE_HERE) || isRefusal(error, NO_LOCK)) return false;
			throw error;
		}
	}

	/** Until when the current version is protected; null when it is not, or not any more. */
	async until(name: string): Promise<Date | null> {
		// A key that may not ask about the bucket may still be allowed to ask about its objects.
		const isOn = await this.isOn().catch((error: unknown) => {
			if (isBackupError(error, 'access-denied')) return true;
			throw error;
		});
		const until = isOn ? (await this.of(name))?.until : undefined;
		return until && until.getTime() > Date.now() ? until : null;
	}

	/**
	 * Protects the current version, or another one, for longer or from now on.
	 * @throws BackupError 'not-found', 'unsupported'
	 */
	async extend(name: string, wanted: Protection, versionId?: string): Promise<void> {
		assertProtection(wanted);
		await this.assertOn();
		const now = await this.of(name, versionId);
		const mode = now?.mode === 'compliance' ? 'compliance' : wanted.mode;
		const until = now && now.until > wanted.until ? now.until : wanted.until;
		if (now && now.mode === mode && now.until >= until) return;
		try {
			await this.#set(name, versionId, { mode, until });
		} catch (error) {
			if (!now || now.mode === mode || !isBackupError(error, 'access-denied')) throw error;
			// Amazon S3, MinIO and Ceph let only a bypass change the mode. The time can be had all the same.
			if (until > now.until) await this.#set(name, versionId, { mode: now.mode, until });
			throw new BackupError(
				'unsupported',
				`the lock of s3://${this.bucket.bucket}/${name} holds until ${until.toISOString()}, and stays in governance mode`,
				{
					hint: 'Servers let a lock become stricter only for keys that could lift it. New objects get the mode you set.',
				},
			);
		}
	}

	async #set(name: string, versionId: string | undefined, protection: Protection): Promise<void> {
		const { mode, until } = lockHeaders(protection);
		const body = `<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`;
		const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
		try {
			const query = `retention${versionQuery(versionId)}`;
			await this.bucket.request('protect', name, { method: 'PUT', query, headers }, body);
		} catch (error) {
			throw withPermissions(error);
		}
	}

	async #askBucket(): Promise<boolean> {
		try {
			const body = await this.bucket.ask('see the locks of', '', 'object-lock');
			return word(body, 'ObjectLockEnabled') === 'Enabled';
		} catch (error) {
			if (isRefusal(error, NO_LOCK)) return false;
			throw withPermissions(error);
		}
	}
}

/** The headers with which a new object is protected from its first moment. */
export function protecting(protection: Protection): Record<string, string> {
	const { mode, until } = lockHeaders(protection);
	return { 'x-amz-object-lock-mode': mode, 'x-amz-object-lock-retain-until-date': until };
}

/** Reads mode and time as S3 writes them; null when there are none. */
function protectionOf(mode: string | undefined, until: string | undefined): Protection | null {
	const time = new Date(until ?? NaN);
	if (Number.isNaN(time.getTime()) || (mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE')) return null;
	return { mode: mode === 'COMPLIANCE' ? 'compliance' : 'governance', until: time };
}

function versionQuery(versionId: string | undefined): string {
	return versionId === undefined ? '' : `&versionId=${escape(versionId)}`;
}

/** In whole seconds, rounded up: not every server keeps more, and none may keep less. */
function lockHeaders({ mode, until }: Protection): { mode: string; until: string } {
	const seconds = Math.ceil(until.getTime() / 1000);
	return { mode: mode.toUpperCase(), until: new Date(seconds * 1000).toISOString() };
}

function isRefusal(error: unknown, codes: readonly string[]): boolean {
	return isBackupError(error) && codes.includes(String(error.details?.s3Code));
}

function withPermissions(error: unknown): unknown {
	if (!isBackupError(error, 'access-denied')) return error;
	return new BackupError('access-denied', error.message, {
		hint: 'For retention locks, allow the key s3:GetBucketObjectLockConfiguration on the bucket, and s3:PutObjectRetention and s3:GetObjectRetention below the prefix.',
		cause: error,
		details: error.details,
	});
}
