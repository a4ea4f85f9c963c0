/** docs/security.md: the key that its command makes, and the list of signers that it shows, are those that we read. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSigningKey } from '../../core/codecs/sshsig/keys';
import { parseSigners } from '../../core/records/authority';
import { PROJECT, sh } from '../support/document';

const text = readFileSync(join(PROJECT, 'docs/security.md'), 'utf8');

it('docs/security.md: its command makes a key that signs, and its list has a signer before and one after', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'security-'));
	try {
		const command = /^ {3}(ssh-keygen .*)$/m.exec(text)![1]!;
		await sh(command, { cwd: folder, env: { PATH: process.env.PATH } });
		const key = parseSigningKey(readFileSync(join(folder, 'signing-key'), 'utf8'));
		const publicKey = readFileSync(join(folder, 'signing-key.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
		expect(parseSigners(publicKey)[0]!.publicKey).toBe(key.publicKey);
		const list = /^n8n-backup valid-before[^`]*/m.exec(text)![0].replace(/ssh-ed25519 \S+/g, publicKey);
		const [before, after] = parseSigners(list);
		expect(before!.validBefore).toEqual(after!.validAfter);
	} finally {
		rmSync(folder, { recursive: true });
	}
});
