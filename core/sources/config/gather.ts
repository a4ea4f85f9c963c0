/** Finds the files of an archive of configuration, and says of each what is archived. */
import { createHmac } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { BackupError } from '../../base/errors';
import type { ConfigChange } from './changes';
import { composeImages } from './compose';
import { nothingFound } from './discover';
import { gitStateOf, repositoryOf } from './git';
import { digestOf } from './inspect';
import { Inspector } from './inspector';
import { type ExpiringCertificate, type Remarks, remarksOn } from './remarks';
import { type FoundFile, Search, type SearchOptions } from './search';
import type { Staged } from './staged';
import { createRecord, type RecordedFile, type VersionRecord } from './version-record';

/** Each file is named in the contents of its backup. */
const MAX_FILES = 9000;
/** Let's Encrypt renews when a third of 90 days is left; less says that it does not. */
const CERTIFICATE_DAYS = 21;

export interface ConfigOptions extends Omit<SearchOptions, 'everything' | 'link' | 'signal' | 'skipped'> {
	/** Folders that are searched for configuration of known kinds. */
	search?: readonly string[];
	/** Folders and files that are taken whole. */
	paths?: readonly string[];
	/** Of what the search finds, take these files only. All when absent. */
	only?: ReadonlySet<string>;
	/** Asked before one of `paths` is read, with where its links lead; throws where it may not be archived. */
	assertApart?: (real: string) => void;
	/** `removed`: everybody may read the archive. `kept`: it restores a server, and must be encrypted. */
	secrets: VersionRecord['secrets'];
	/** Makes changes of secrets visible without a word of them: any key that this host has each time. None when absent. */
	digestSecret?: string;
	/** Versions of other programs, for the record. */
	programs?: Readonly<Record<string, string>>;
	/** Warn of certificates that end within so many days. @default 21 */
	certificateDays?: number;
	/** Told what was done, with names, before the archive is written. */
	onReport?: (report: ConfigReport) => void;
}

/** What was found, and what was done. No secret is in it. */
export interface ConfigReport {
	record: VersionRecord;
	/** Since the backup before; null where there is none, or none that can be read here. */
	changes: ConfigChange[] | null;
	/** Certificates that have ended, or end soon: those first that end first. */
	certificates: ExpiringCertificate[];
	remarks: Remarks;
	/** What was passed over, with the reason. */
	skipped: Array<{ path: string; why: string }>;
}

/** Paths that were passed over and are named. */
const MOST_SKIPPED = 100;

/** Finds the files, and puts what is archived of each in its place. */
export async function gather(options: ConfigOptions, staged: Staged, signal: AbortSignal): Promise<ConfigReport> {
	const { secrets, digestSecret, programs = {}, certificateDays = CERTIFICATE_DAYS } = options;
	const digestKey = digestSecret === undefined ? null : deriveKey(digestSecret);
	const skipped: ConfigReport['skipped'] = [];
	const files: RecordedFile[] = [];
	const images: VersionRecord['images'] = [];
	const links = new Set<string>();
	for await (const found of findAll(options, digestKey, { signal, skipped, links })) {
		files.push(await place(found, secrets, digestKey, staged));
		if (files.length > MAX_FILES) throw tooMany();
		if (found.finding.kind === 'compose') images.push(...imagesOf(found));
	}
	if (files.length === 0) {
		throw nothingFound(placesOf(options));
	}
	for (const link of links) staged.addAsIs(link);
	const git = [];
	const roots = placesOf(options).map((each) => realpathSync(each));
	const repositories = new Set(files.map((file) => repositoryOf(file.path, roots)));
	for (const each of repositories) if (each !== null) git.push(await gitStateOf(each));
	const certificates = endingSoon(files, certificateDays);
	const keyName = digestKey && digestOf('which key', digestKey);
	return {
		record: createRecord({
			secrets,
			programs,
			git,
			images,
			files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
			digestKey: keyName,
		}),
		changes: null,
		certificates,
		remarks: remarksOn(files, certificates),
		skipped: skipped.slice(0, MOST_SKIPPED),
	};
}

interface Sightings {
	signal: AbortSignal;
	skipped: ConfigReport['skipped'];
	links: Set<string>;
}

/** Every file once, whether it was searched for or named. */
async function* findAll(
	{
		search = [],
		paths = [],
		only,
		assertAllowed,
		assertApart,
		isBlocked,
		exclude,
		maxDepth,
		maxEntries,
	}: ConfigOptions,
	digestKey: string | null,
	{ signal, skipped, links }: Sightings,
): AsyncIterable<FoundFile> {
	if (search.length + paths.length === 0) {
		throw new BackupError('invalid-input', 'no folder given', {
			hint: 'Name folders to search for configuration, or files and folders to take whole.',
		});
	}
	const inspector = new Inspector(digestKey);
	const seen = new Set<string>();
	const options: SearchOptions = {
		...{ assertAllowed, isBlocked, exclude, maxDepth, maxEntries, signal },
		skipped: (path, why) => skipped.push({ path, why }),
		link: (link) => links.add(link),
	};
	try {
		const whole: SearchOptions = {
			...{ ...options, everything: true },
			assertAllowed(given, real) {
				assertAllowed?.(given, real);
				assertApart?.(real);
			},
		};
		for (const [roots, how] of [
			[paths, whole],
			[search, options],
		] as const) {
			for await (const found of Search.below(roots, inspector, how)) {
				const { path } = found.finding;
				if (seen.has(path) || (how === options && only?.has(path) === false)) continue;
				seen.add(path);
				yield found;
			}
		}
		for (const path of only ?? []) if (!seen.has(path)) skipped.push({ path, why: 'is not found any more' });
	} finally {
		await inspector.close();
	}
}

/** Puts a file into the archive, as it is or without its secrets, or leaves it out; and says which. */
async function place(
	{ finding, looked }: FoundFile,
	secrets: VersionRecord['secrets'],
	digestKey: string | null,
	staged: Staged,
): Promise<RecordedFile> {
	const { kind, path, size, certificates, missing } = finding;
	const found = looked && digestKey !== null ? digestOf(looked.bytes, digestKey) : null;
	const settings = looked?.inspected.settings ?? null;
	const about = { path, kind, size, secrets: finding.secrets, certificates, missing, found, settings };
	if (secrets === 'kept') {
		staged.addAsIs(path);
		return { ...about, done: 'verbatim', archived: looked && digestOf(looked.bytes, null) };
	}
	const leftOut = looked === null ? finding.problem : looked.inspected.sanitised.leftOut;
	if (looked === null || looked.inspected.sanitised.leftOut !== undefined) {
		return { ...about, done: 'left out', why: leftOut, archived: null };
	}
	const { bytes, replaced } = looked.inspected.sanitised;
	await staged.addInstead(path, bytes);
	const done = replaced.length > 0 ? 'sanitised' : 'verbatim';
	return { ...about, done, archived: digestOf(bytes, null) };
}

function imagesOf({ finding, looked }: FoundFile): VersionRecord['images'] {
	const images = looked ? composeImages(looked.bytes.toString('utf8')) : {};
	return Object.entries(images).map(([service, image]) => ({ file: finding.path, service, image }));
}

function endingSoon(files: readonly RecordedFile[], days: number): ConfigReport['certificates'] {
	return files
		.flatMap(({ path, certificates }) =>
			certificates.map(({ names, notAfter, daysLeft }) => ({ path, names, notAfter, daysLeft })),
		)
		.filter(({ daysLeft }) => daysLeft <= days)
		.sort((a, b) => a.daysLeft - b.daysLeft);
}

function placesOf({ search = [], paths = [] }: ConfigOptions): string[] {
	return [...search, ...paths];
}

/** So that what is published of digests says nothing about the key itself. */
function deriveKey(secret: string): string {
	return createHmac('sha256', secret).update('digests of configuration').digest('hex');
}

function tooMany(): BackupError {
	return new BackupError('invalid-input', `there are more than ${MAX_FILES} files`, {
		hint: 'Name only the folders that hold configuration. For customers and other files there is "Archive Files".',
	});
}
