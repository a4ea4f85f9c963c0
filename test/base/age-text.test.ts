import { ageText } from '../../core/base/age-text';

const NOW = Date.parse('2026-11-20T12:00:00Z');

it.each([
	['2026-11-20T11:59:50Z', 'just now'],
	['2026-11-20T11:59:00Z', '1 minute ago'],
	['2026-11-20T10:30:00Z', '90 minutes ago'],
	['2026-11-20T02:00:00Z', '10 hours ago'],
	['2026-11-17T12:00:00Z', '3 days ago'],
	['2026-11-20T13:00:00Z', 'in the future'],
])('%s was %s', (at, text) => {
	expect(ageText(at, NOW)).toBe(text);
});
