/** The page of one backup: what it is, where it lies, what proves it, and how it comes back. */
import type { Manifest } from '../../../records/manifest';
import type { BackupInStorage, ReadVerification } from '../backup';
import { html, type Html } from './html';
import { kindOnPage } from './kinds';
import type { Words } from './words';

export interface BackupPage {
	group: string;
	label: string;
	/** In the order of the storages. */
	places: readonly BackupInStorage[];
	/** Of the page of its group. */
	back: string;
}

export function backupPage({ group, label, places, back }: BackupPage, words: Words): Html {
	const manifest = places.find((place) => place.manifest !== null)?.manifest ?? null;
	return html`<nav aria-label="Where you are"><a href="${back}">${group}</a></nav>
		<section class="card">
			<h2 class="title">
				<span>${label}</span>
			</h2>
			${manifest ? factsOf(manifest, places, words) : problemOf(places)}
		</section>
		<h2>Where it lies</h2>
		<dl>
			${places.map(
				(place) =>
					html`<dt>${place.storage}</dt>
						<dd>${placeText(place, words)}</dd>`,
			)}
		</dl>
		<h2>Verifications</h2>
		${verificationTable(places, words)} ${manifest && partsSection(manifest, words)}
		${manifest && restoreSection(manifest)}`;
}

function problemOf(places: readonly BackupInStorage[]): Html {
	const problem = places.find((place) => place.problem !== null)?.problem;
	return html`<p>${problem ?? 'No storage has it. It may have expired, or the link is old.'}</p>`;
}

function factsOf(manifest: Manifest, places: readonly BackupInStorage[], words: Words): Html {
	const { type, status, startedAt, finishedAt, source, parents, program, warnings, shrunk } = manifest;
	const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
	const rows: Array<[string, string | null]> = [
		['Made', `${words.ago(Date.parse(startedAt))}, took ${words.span(seconds)}`],
		['Type', type],
		['Whole', status === 'whole' ? null : 'NO: the source could not give everything; see the warnings'],
		['Source', source.kind],
		['Needs', parents.length === 0 ? null : `${parents.join(', ')} (nearest first)`],
		['Encrypted', encryptionText(manifest)],
		['Signature', signatureText(places)],
		[
			'Lost',
			shrunk ? shrunk.map(({ what, from, to }) => `${what}: ${from} before, ${to} in this backup`).join('; ') : null,
		],
		['Warnings', warnings.length === 0 ? null : warnings.join('; ')],
		['Made by', `${program.name} ${program.version}`],
	];
	return html`<dl>
		${rows.map(
			([term, text]) =>
				text !== null &&
				html`<dt>${term}</dt>
					<dd>${text}</dd>`,
		)}
	</dl>`;
}

function encryptionText({ encryption }: Manifest): string {
	if (encryption === null) return 'NO: whoever reads the storage reads the data';
	const proved = encryption.proved ? ', opened right after it was made' : '';
	return encryption.method === 'passphrase'
		? `with a passphrase${proved}`
		: `to ${encryption.recipients.join(', ')}${proved}`;
}

/** A manifest whose signature is not that of a trusted signer is not read at all where signatures are checked. */
function signatureText(places: readonly BackupInStorage[]): string {
	const found = places.find(({ manifest }) => manifest !== null);
	return found?.checked ? 'of a trusted signer' : 'not checked: the credential names no trusted signers';
}

function placeText({ entry, problem }: BackupInStorage, words: Words): string {
	if (entry === null) return problem ?? 'not there';
	const more = [
		...(entry.pinned ? ['pinned: it never expires'] : []),
		...(entry.tags.length > 0 ? [`tags: ${entry.tags.join(', ')}`] : []),
		...(problem === null ? [] : [`NOT usable: ${problem}`]),
	];
	return [words.size(entry.storedBytes), ...more].join('; ');
}

function verificationTable(places: readonly BackupInStorage[], words: Words): Html {
	const rows = places
		.flatMap(({ storage, verifications }) => verifications.map((verification) => ({ storage, verification })))
		.sort((a, b) => b.verification.at - a.verification.at);
	if (rows.length === 0) return html`<p class="dim">None: nobody has looked whether it can be restored.</p>`;
	return html`<div class="scroll" tabindex="0" role="region" aria-label="Verifications">
		<table>
			<caption>
				Newest first
			</caption>
			<thead>
				<tr>
					<th scope="col">Ended</th>
					<th scope="col">Depth</th>
					<th scope="col">Result</th>
					<th scope="col">What was found</th>
					<th scope="col">Storage</th>
				</tr>
			</thead>
			<tbody>
				${rows.map(
					({ storage, verification }) =>
						html`<tr>
							<td>${words.time(verification.at)}</td>
							<td>${verification.depth}</td>
							<td>${verification.ok ? 'ok' : 'BAD'}</td>
							<td>${foundText(verification)}</td>
							<td>${storage}</td>
						</tr>`,
				)}
			</tbody>
		</table>
	</div>`;
}

function foundText({ evidence }: ReadVerification): string {
	if (evidence === null) return 'its record cannot be read, or is not of a trusted signer';
	if (evidence.failure) return evidence.failure.message;
	const figures = Object.entries(evidence.facts).filter(([, value]) => typeof value === 'number');
	return figures.map(([name, value]) => `${name} ${value}`).join(', ');
}

function partsSection({ parts }: Manifest, words: Words): Html {
	return html`<h2>Objects</h2>
		<div class="scroll" tabindex="0" role="region" aria-label="Objects">
			<table>
				<caption>
					What is stored, and its SHA-256
				</caption>
				<thead>
					<tr>
						<th scope="col">Name</th>
						<th scope="col">For</th>
						<th scope="col" class="number">Stored</th>
						<th scope="col" class="number">Original</th>
						<th scope="col">SHA-256</th>
					</tr>
				</thead>
				<tbody>
					${parts.map(
						({ name, role, stored, original }) =>
							html`<tr>
								<td>${name}</td>
								<td>${role}</td>
								<td class="number">${words.size(stored.bytes)}</td>
								<td class="number">${words.size(original.bytes)}</td>
								<td><code>${stored.sha256}</code></td>
							</tr>`,
					)}
				</tbody>
			</table>
		</div>`;
}

function restoreSection(manifest: Manifest): Html {
	const { group, label, parents, source } = manifest;
	const { page } = kindOnPage(source.kind);
	return html`<h2>Bring it back without n8n</h2>
		<p class="dim">On any machine with Node.js and the identity:</p>
		${restoreCommandHtml({ group, label, kind: source.kind })}
		<p class="dim">
			By hand, in the folder of the
			backup${parents.length > 0 &&
			'; first do the same in the folders of those that it needs, beginning with the full one'}.
			The whole way, and what to look out for: ${page}.
		</p>
		<pre tabindex="0">${byHand(manifest).join('\n')}</pre>`;
}

/** The command that restores a backup, for a shell. */
export function restoreCommandHtml({ group, label, kind }: { group: string; label: string; kind: string }): Html {
	const { to, page } = kindOnPage(kind);
	if (to === null) return html`<p>It is not restored alone: ${page}.</p>`;
	const command = `npx n8n-nodes-backup restore '${group}/${label}' --storage STORAGE --identity key.txt --to ${to}`;
	return html`<pre tabindex="0">${command}</pre>`;
}

/** A check of each object that is data, and a command that opens it. */
function byHand({ parts, encryption, source }: Manifest): string[] {
	const data = parts.filter(({ role }) => role === 'data');
	const decrypt = encryption?.method === 'passphrase' ? 'age -d' : 'age -d -i key.txt';
	return [
		...data.map(({ name, stored }) => `echo '${stored.sha256}  ${name}' | sha256sum --check`),
		...data.map(({ name }) => {
			const plain = name.replace(/\.age$/, '').replace(/\.zst$/, '');
			const isEncrypted = name.endsWith('.age');
			const unpack = name.slice(plain.length).includes('.zst') ? ['zstd -d'] : [];
			const steps = isEncrypted ? [`${decrypt} ${name}`, ...unpack] : [`cat ${name}`, ...unpack];
			const { reader } = kindOnPage(source.kind);
			return reader === null ? `${steps.join(' | ')} > ${plain}` : [...steps, reader].join(' | ');
		}),
	];
}
