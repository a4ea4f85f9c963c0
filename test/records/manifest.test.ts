import { formatManifest, type Manifest, parseManifest } from '../../core/records/manifest';

const sample: Manifest = {
	format: 1,
	program: { name: 'n8n-nodes-backup', version: '0.1.0' },
	group: 'postgres/shop',
	label: '20261120T020000Z-full-k3f9',
	type: 'full',
	parents: [],
	startedAt: '2026-11-20T02:00:00.000Z',
	finishedAt: '2026-11-20T02:00:07.000Z',
	source: { kind: 'postgres', engine: 'builtin', engineVersion: '18.3', serverVersion: '15.4', filtered: false },
	codecs: ['zstd', 'age'],
	encryption: { method: 'recipients', recipients: ['age1x'], proved: true },
	object: {
		name: 'dump.sql.zst.age',
		original: { bytes: 10, blake2b512: 'a'.repeat(128) },
		stored: { bytes: 20, sha256: 'b'.repeat(64) },
	},
	contents: {
		name: 'contents.json.zst.age',
		original: { bytes: 10, blake2b512: 'a'.repeat(128) },
		stored: { bytes: 20, sha256: 'b'.repeat(64) },
	},
	warnings: [],
};

describe('a manifest', () => {
	it('comes back as it was written', () => {
		expect(parseManifest(formatManifest(sample), 'here')).toEqual(sample);
	});

	it('of a newer format is refused before anything else in it is looked at', () => {
		expect(() => parseManifest('{"format":2,"unheard":"of"}', 'x/manifest.json')).toThrow(
			expect.objectContaining({
				code: 'newer-format',
				message: 'x/manifest.json has format 2, this version reads up to 1',
				hint: expect.stringContaining('Update'),
			}),
		);
	});

	it.each([
		['no JSON', 'PGDMP', /is not valid JSON/],
		['an array', '[]', /not valid/],
		['no format', '{}', /at "format"/],
		['a negative size', edit((m) => (m.object.original.bytes = -1)), /at "object.original.bytes"/],
		['half a digest', edit((m) => (m.object.stored.sha256 = 'b'.repeat(63))), /at "object.stored.sha256"/],
		['an object name that leaves the folder', edit((m) => (m.object.name = '../../etc/passwd')), /at "object.name"/],
		['an object name with a slash', edit((m) => (m.contents.name = 'a/b')), /at "contents.name"/],
		['no time', edit((m) => (m.startedAt = 'yesterday')), /at "startedAt"/],
		['an unknown type', edit((m) => ((m as { type: string }).type = 'half')), /at "type"/],
		['a checksum that is missing', JSON.stringify(sample, null, 2), /its checksum differs/],
		[
			'a member more',
			formatManifest({ ...sample, pinned: true } as Manifest).replace('true', 'false'),
			/its checksum differs/,
		],
	])('with %s is refused, saying where', (_, text, message) => {
		expect(() => parseManifest(text, 'x')).toThrow(
			expect.objectContaining({ code: 'invalid-manifest', message: expect.stringMatching(message) }),
		);
	});
});

it('is refused after any single byte of it has changed', () => {
	const text = formatManifest(sample);
	for (let at = 0; at < text.length; at++) {
		const changed = `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ 1)}${text.slice(at + 1)}`;
		expect(() => parseManifest(changed, 'x')).toThrow(
			expect.objectContaining({ code: expect.stringMatching(/^(?:invalid-manifest|newer-format)$/) }),
		);
	}
});

function edit(change: (manifest: Manifest) => unknown): string {
	const copy = structuredClone(sample);
	change(copy);
	return JSON.stringify(copy);
}
