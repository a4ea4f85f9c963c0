/** Certificates in files, and how long they last. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { certificates } from '../../../core/sources/config/certificates';
import { makeCertificates } from '../../support/tls';

it('each certificate of a bundle, with its names and days, until it has ended', async () => {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'certificates-'));
	try {
		const { certPem, caPem, keyPem } = await makeCertificates(folder);
		const bundle = Buffer.from(`${keyPem}${certPem}junk\n${caPem}`);
		const [server, authority, ...more] = certificates(bundle);
		expect(more).toEqual([]);
		expect(server).toMatchObject({ issuer: 'CN=Test authority', daysLeft: 1, ended: false });
		expect(server!.names).toEqual(expect.arrayContaining(['localhost', '127.0.0.1']));
		expect(authority).toMatchObject({ names: ['Test authority'] });
		expect(certificates(bundle, Date.now() + 5 * 86_400_000)[0]).toMatchObject({ ended: true, daysLeft: -4 });
	} finally {
		fs.rmSync(folder, { recursive: true });
	}
});

it('what is no certificate is passed over', () => {
	expect(certificates(Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'))).toEqual([]);
	expect(certificates(Buffer.from([0x30, 0x03, 1, 2, 3]))).toEqual([]);
});
