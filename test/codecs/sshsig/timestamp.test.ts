import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { isAllowed, parseAllowedSigners } from '../../../core/codecs/sshsig/allowed-signers';
import { generateSigningKey, parseSigningKey } from '../../../core/codecs/sshsig/keys';
import { sign } from '../../../core/codecs/sshsig/signature';
import { parseTimestamp } from '../../../core/codecs/sshsig/timestamp';
import { accepts, NAMESPACE, stamp } from './ssh-keygen';

const { secret, publicKey: KEY } = generateSigningKey();
const signature = sign('text', parseSigningKey(secret), NAMESPACE);

function verdict(signers: string, at: Date): string {
	const found = isAllowed(parseAllowedSigners(signers), KEY, { namespace: NAMESPACE, at });
	return found.signer ? 'allowed' : found.reason;
}

describe('validity', () => {
	const FROM = new Date('2026-03-01T00:00:00Z');
	const TO = new Date('2026-09-30T23:59:59Z');
	const after = (time: Date, seconds: number) => new Date(time.getTime() + seconds * 1000);

	it.each<[string, Date, boolean, boolean]>([
		['a second before it begins', after(FROM, -1), false, true],
		['as it begins', FROM, true, true],
		['a second after it began', after(FROM, 1), true, true],
		['a second before it ends', after(TO, -1), true, true],
		['as it ends', TO, true, true],
		['a second after it ended', after(TO, 1), true, false],
	])('is as ssh-keygen sees it, %s', (_, at, begun, going) => {
		for (const [options, expected] of [
			[`valid-after="${stamp(FROM)}"`, begun],
			[`valid-before="${stamp(TO)}"`, going],
			[`valid-after="${stamp(FROM)}",valid-before="${stamp(TO)}"`, begun && going],
			[`valid-before="${stamp(TO)}",namespaces="n8n-*",valid-after="${stamp(FROM)}"`, begun && going],
		] as const) {
			const signers = `backup ${options} ${KEY}`;
			expect(verdict(signers, at)).toBe(expected ? 'allowed' : 'not-valid-then');
			expect(accepts(signers, signature, 'text', { at })).toBe(expected);
		}
	});

	it('lasts to the end of its last second', () => {
		expect(verdict(`backup valid-before="${stamp(TO)}" ${KEY}`, after(TO, 0.999))).toBe('allowed');
	});

	it('is that of now where nobody says a time, as for ssh-keygen', () => {
		for (const seconds of [-3600, 3600]) {
			const signers = `backup valid-after="${stamp(after(new Date(), seconds))}" ${KEY}`;
			expect(verdict(signers, new Date())).toBe(seconds < 0 ? 'allowed' : 'not-valid-then');
			expect(accepts(signers, signature, 'text')).toBe(seconds < 0);
		}
	});

	it.each([
		'',
		'Z',
		'UTC',
		'2026',
		'202601',
		'2026010',
		'2026010112',
		'20260101120',
		'2026010112000',
		'202601011200000',
		'20261301Z',
		'20260100Z',
		'20260132Z',
		'202601012400Z',
		'202601011260Z',
		'2026-01-01',
		'20260101 Z',
		'20260101+01',
		'19691231Z',
		'19700101Z',
		'٢٠٢٦٠١٠١',
	])('has no such limit: "%s"', (text) => {
		expect(parseTimestamp(text)).toBeNull();
		expect(accepts(`backup valid-after="${text}" ${KEY}`, signature, 'text', { at: new Date('2030-01-01') })).toBe(
			false,
		);
	});

	it('ends on the last day of February in leap years only', () => {
		expect(parseTimestamp('20280229Z')).toEqual(new Date('2028-02-29T00:00:00Z'));
		expect(parseTimestamp('20260229Z')).toBeNull();
	});

	const TIMES = [
		'20260101',
		'20260701',
		'202603290230',
		'20261025023000',
		'20260308023000',
		'20200229',
		'20260101Z',
		'20260701utc',
	];

	it.each(['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Sydney', 'Asia/Kolkata', 'Pacific/Kiritimati'])(
		'begins in %s at the second at which ssh-keygen lets it begin there, in winter and in summer',
		(zone) => {
			const [hook, module] = ['test/support/typescript.cjs', 'core/codecs/sshsig/timestamp.ts'].map((file) =>
				path.join(__dirname, '../../..', file),
			) as [string, string];
			const script = `console.log(JSON.stringify(${JSON.stringify(TIMES)}.map(require(${JSON.stringify(module)}).parseTimestamp)))`;
			const env = { PATH: process.env.PATH, TZ: zone };
			const output = execFileSync(process.execPath, ['--require', hook, '--eval', script], { env, encoding: 'utf8' });
			for (const [n, time] of (JSON.parse(output) as string[]).entries()) {
				const signers = `backup valid-after="${TIMES[n]}" ${KEY}`;
				const at = (seconds: number) => after(new Date(time), seconds);
				expect([TIMES[n], accepts(signers, signature, 'text', { at: at(0), zone })]).toEqual([TIMES[n], true]);
				expect([TIMES[n], accepts(signers, signature, 'text', { at: at(-1), zone })]).toEqual([TIMES[n], false]);
			}
		},
	);
});
