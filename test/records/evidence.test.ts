import {
	DEPTHS,
	type Evidence,
	evidenceName,
	formatEvidence,
	parseEvidence,
	parseEvidenceName,
	reaches,
} from '../../core/records/evidence';

const sample: Evidence = {
	format: 1,
	program: { name: 'n8n-nodes-backup', version: '0.1.0' },
	group: 'postgres/shop',
	label: '20261120T020000Z-full-k3f9',
	depth: 'restored',
	outcome: 'failed',
	startedAt: '2026-11-20T02:15:00.000Z',
	finishedAt: '2026-11-20T02:16:07.123Z',
	manifestSha256: 'a'.repeat(64),
	failure: { code: 'damaged', message: '2 of 33 tables have other rows' },
	facts: { tables: 33, different: 2, restoreSeconds: 67.1 },
};

describe('evidence', () => {
	it('says by its name alone when, how deep and how it ended', () => {
		expect(evidenceName(sample)).toBe('verified-20261120T021607Z-restored-failed.json');
		expect(parseEvidenceName(evidenceName(sample))).toEqual({
			at: Date.parse('2026-11-20T02:16:07Z'),
			depth: 'restored',
			ok: false,
		});
	});

	it.each([
		'manifest.json',
		'verified-20261120T021607Z-restored-perhaps.json',
		'verified-20261340T021607Z-stored-ok.json',
	])('is not what is called %s', (name) => {
		expect(parseEvidenceName(name)).toBeNull();
	});

	it('comes back as it was written', () => {
		expect(parseEvidence(formatEvidence(sample), 'here')).toEqual(sample);
	});

	it.each([
		['no JSON', 'x', 'damaged'],
		['a newer format', '{"format":2}', 'newer-format'],
		['another depth', formatEvidence(sample).replace('"restored"', '"felt"'), 'damaged'],
	])('with %s is refused', (_, text, code) => {
		expect(() => parseEvidence(text, 'here')).toThrow(expect.objectContaining({ code }));
	});

	it('of one depth includes the depths below it', () => {
		const table = DEPTHS.map((depth) => DEPTHS.map((wanted) => reaches(depth, wanted)));
		expect(table).toEqual([
			[true, false, false],
			[true, true, false],
			[true, true, true],
		]);
	});
});
