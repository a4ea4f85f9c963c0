/** A certificate authority of our own and a server's certificate by it, for tests of TLS. Needs the program `openssl`. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** All files are PEM; keys can be read by their owner only, as PostgreSQL demands. */
export interface Certificates {
	caFile: string;
	certFile: string;
	keyFile: string;
	/** Key and certificate in one file, as Ceph wants them. */
	pemFile: string;
	caPem: string;
	certPem: string;
	keyPem: string;
}

/** Makes them in an existing folder, for localhost and 127.0.0.1. @param days how long they are valid */
export async function makeCertificates(dir: string, days = 2): Promise<Certificates> {
	const file = (name: string) => path.join(dir, name);
	const [ca, caKey, cert, key, request, pem] = ['ca.crt', 'ca.key', 'tls.crt', 'tls.key', 'tls.csr', 'tls.pem'].map(
		file,
	) as [string, string, string, string, string, string];
	const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
	const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
	await run('openssl', [
		'req',
		'-x509',
		...newKey,
		'-keyout',
		caKey,
		'-out',
		ca,
		'-days',
		String(days),
		'-subj',
		'/CN=Test authority',
	]);
	await run('openssl', [
		'req',
		'-new',
		...newKey,
		'-keyout',
		key,
		'-out',
		request,
		'-subj',
		'/CN=localhost',
		'-addext',
		names,
	]);
	await run('openssl', [
		...['x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial'],
		...['-out', cert, '-days', String(days), '-copy_extensions', 'copy'],
	]);
	const [caPem, certPem, keyPem] = await Promise.all([ca, cert, key].map((name) => fs.readFile(name, 'utf8')));
	if (!caPem || !certPem || !keyPem) throw new Error(`openssl wrote empty files to ${dir}`);
	await fs.writeFile(pem, keyPem + certPem, { mode: 0o600 });
	await fs.chmod(key, 0o600);
	return { caFile: ca, certFile: cert, keyFile: key, pemFile: pem, caPem, certPem, keyPem };
}
