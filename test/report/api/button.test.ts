/** Buttons: whose tokens are good, for what, and for how long. */
import { BUTTONS, ButtonTokens, readPress } from '../../../core/report/api/button';
import { parseCall } from '../../../core/report/api/call';
import { Problem } from '../../../core/report/api/problem';

const NOW = new Date('2026-11-20T12:00:00Z');
const CALLER = 'Basic YWRtaW46c2VjcmV0';
const GROUP = 'postgres/shop';
const tokens = new ButtonTokens(CALLER);

function press(change: Record<string, unknown> = {}, authorization: unknown = CALLER, now = NOW) {
	const body = { button: 'backup', group: GROUP, token: tokens.make('backup', GROUP, NOW), ...change };
	return readPress({ headers: { authorization }, body }, now);
}

function codeOf(action: () => unknown): string {
	try {
		return `understood: ${JSON.stringify(action())}`;
	} catch (error) {
		if (error instanceof Problem) return error.code;
		throw error;
	}
}

it.each(Object.keys(BUTTONS) as Array<keyof typeof BUTTONS>)('%s is a call of the API', (button) => {
	const call = parseCall(press({ button, token: tokens.make(button, GROUP, NOW) }));
	const asked = button === 'backup' ? {} : { depth: BUTTONS[button].depth, label: '' };
	expect(call).toMatchObject({
		call: BUTTONS[button].call,
		asked: { group: GROUP, ...asked },
		requestedBy: 'operator: a button of the page',
	});
});

it('a page that is pressed twice asks for one thing, and two pages for two', () => {
	const token = tokens.make('backup', GROUP, NOW);
	const [once, twice, other] = [press({ token }), press({ token }), press()].map((each) => parseCall(each));
	expect(twice).toEqual(once);
	expect(other).not.toEqual(once);
});

it('a token is good for its person, its button, its source and an hour', () => {
	expect(codeOf(() => press({}, CALLER, new Date(NOW.getTime() + 3_600_000)))).toMatch(/^understood/);
	expect(codeOf(() => press({}, CALLER, new Date(NOW.getTime() + 3_600_001)))).toBe('stale-button');
	expect(codeOf(() => press({}, 'Basic b3RoZXI='))).toBe('stale-button');
	expect(codeOf(() => press({ button: 'verify' }))).toBe('stale-button');
	expect(codeOf(() => press({ group: 'postgres/crm' }))).toBe('stale-button');
	const later = tokens.make('backup', GROUP, NOW).replace(/^\w+/, (NOW.getTime() * 2).toString(36));
	for (const token of [later, '', undefined, ['x'], 'x'.repeat(100_000)]) {
		expect(codeOf(() => press({ token }))).toBe('stale-button');
	}
	expect(codeOf(() => press({ button: 'toString' }))).toBe('not-found');
	for (const nobody of [null, '', ['x']]) expect(codeOf(() => press({}, nobody))).toBe('not-allowed');
});
