import { parseSigningKey } from '../../core/codecs/sshsig/keys';
import { parseSigners } from '../../core/records/authority';
import { checkEncryption } from '../../core/verbs/check/check';
import { EncryptionKey } from '../../nodes/EncryptionKey/EncryptionKey.node';
import { fakeContext } from '../support/fake-node';

const NOTHING_SAVED = {
	saveDataSuccessExecution: 'none',
	saveDataErrorExecution: 'none',
	saveManualExecutions: false,
	saveExecutionProgress: false,
} as const;

async function generate(settings: object, mode = 'manual') {
	const { context } = fakeContext({ parameters: { notice: '', operation: 'generate' }, credentials: {} });
	const own = Object.assign(context, { getWorkflowSettings: () => settings, getMode: () => mode });
	const [items] = await new EncryptionKey().execute.call(own);
	return items!.map(({ json }) => json as Record<'key' | 'value' | 'goesTo', string>);
}

it('gives a new key pair and a signing key, one half per item, that belong together', async () => {
	const rows = await generate(NOTHING_SAVED);
	expect(rows.map(({ key }) => key)).toEqual(['recipient', 'identity', 'host key', 'signing key', 'trusted signer']);
	const [recipient, identity, host, secret, signer] = rows;
	expect(parseSigners(signer!.value)[0]!.publicKey).toBe(parseSigningKey(secret!.value).publicKey);
	expect(identity!.value).toMatch(/^AGE-SECRET-KEY-1[A-Z0-9]{58}$/);
	const encryption = { recipients: [recipient!.value] };
	const found = await checkEncryption(encryption, { identities: [identity!.value] }, host!.value);
	expect(found).toMatchObject({ ok: true, message: expect.stringContaining('opens') });
	expect((await generate(NOTHING_SAVED))[1]!.value).not.toBe(identity!.value);
});

it('makes no key for another workflow, whose execution would keep it', async () => {
	await expect(generate(NOTHING_SAVED, 'integrated')).rejects.toThrow(/another workflow called this one/);
});

it.each([
	['nothing is set', {}, 'Save manual executions'],
	['runs by hand are saved', { ...NOTHING_SAVED, saveManualExecutions: true }, 'Save manual executions'],
	['failed runs are saved', { ...NOTHING_SAVED, saveDataErrorExecution: 'all' }, 'Save failed'],
	['other runs are saved', { ...NOTHING_SAVED, saveDataSuccessExecution: 'DEFAULT' }, 'Save successful'],
	['progress is saved', { ...NOTHING_SAVED, saveExecutionProgress: true }, 'Save execution progress'],
])('makes no key where n8n would keep it, because %s, and says which setting to change', async (_, settings, named) => {
	const failure = generate(settings);
	await expect(failure).rejects.toThrow(/no key was made/);
	await expect(failure).rejects.toMatchObject({ description: expect.stringContaining(named) });
});
