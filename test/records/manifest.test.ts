import { formatManifest, type Manifest, parseManifest } from '../../core/records/manifest';

const sample: Manifest = {
	format: 1,
	program: { name: 'n8n-nodes-backup', version: '0.1.0' },
	repository: '3f0c8f4e-2b1d-4c55-9d0e-6a1f0e9c7b21',
	group: 'postgres/shop',
	label: '20261120T020000Z-full-k3f9',
	type: 'full',
	parents: [],
	startedAt: '2026-11-20T02:00:00.000Z',
	finishedAt: '2026-11-20T02:00:07.000Z',
	status: 'whole',
	source: { kind: 'postgres', server: 'c'.repeat(32), details: { engine: 'builtin', filtered: false } },
	codecs: ['zstd', 'age'],
	encryption: { method: 'recipients', recipients: ['age1x'], host: null, proved: true },
	parts: [
		{
			role: 'data',
			name: 'dump.sql.zst.age',
			original: { bytes: 10, blake2b512: 'a'.repeat(128) },
			stored: { bytes: 20, sha256: 'b'.repeat(64) },
		},
		{
			role: 'contents',
			name: 'contents.json.zst.age',
			original: { bytes: 10, blake2b512: 'a'.repeat(128) },
			stored: { bytes: 20, sha256: 'b'.repeat(64) },
		},
	],
	previous: { label: '20261119T020000Z-full-k3f8', sha256: 'd'.repeat(64) },
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
		['a negative size', edit((m) => (m.parts[0]!.original.bytes = -1)), /at "parts.0.original.bytes"/],
		['half a digest', edit((m) => (m.parts[0]!.stored.sha256 = 'b'.repeat(63))), /at "parts.0.stored.sha256"/],
		[
			'an object name that leaves the folder',
			edit((m) => (m.parts[0]!.name = '../../etc/passwd')),
			/at "parts.0.name"/,
		],
		['an object name with a slash', edit((m) => (m.parts[1]!.name = 'a/b')), /at "parts.1.name"/],
		['two parts of one name', edit((m) => (m.parts[0]!.name = m.parts[1]!.name)), /two parts have one name/],
		['no contents', edit((m) => (m.parts[1]!.role = 'data')), /not exactly one part is contents/],
		['no time', edit((m) => (m.startedAt = 'yesterday')), /at "startedAt"/],
		['an unknown type', edit((m) => ((m as { type: string }).type = 'half')), /at "type"/],
		['a checksum that is missing', JSON.stringify(sample, null, 2), /its checksum differs/],
		[
			'a member more',
			formatManifest({ ...sample, pinned: true } as Manifest).replace('true', 'false'),
			/unrecognized key/,
		],
	])('with %s is refused, saying where', (_, text, message) => {
		expect(() => parseManifest(text, 'x')).toThrow(
			expect.objectContaining({ code: 'invalid-manifest', message: expect.stringMatching(message) }),
		);
	});
});

it.each([
	['a member', { ...sample, unheard: 'of' }, /"": unrecognized key\(s\) in object: 'unheard'/],
	[
		'a member of a part',
		{ ...sample, parts: sample.parts.map((part) => ({ ...part, chunked: true })) },
		/at "parts.0"/,
	],
	[
		'a role',
		{ ...sample, parts: [...sample.parts, { ...sample.parts[0]!, role: 'wal', name: 'wal.zst' }] },
		/"parts.2.role"/,
	],
	['a codec', { ...sample, codecs: ['zstd', 'age2'] }, /"codecs.1"/],
	['a way to encrypt', { ...sample, encryption: { method: 'moon' } }, /"encryption.method"/],
])('that says %s which this version does not know is refused, not half understood', (_, manifest, message) => {
	expect(() => parseManifest(formatManifest(manifest as Manifest), 'x')).toThrow(
		expect.objectContaining({
			code: 'newer-format',
			message: expect.stringMatching(message),
			hint: expect.stringContaining('Update'),
		}),
	);
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
