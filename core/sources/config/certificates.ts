/** The certificates in a file, and how long they are valid. */
import { X509Certificate } from 'node:crypto';

const MAX_CERTIFICATES = 500;
const DAY_MS = 86_400_000;

/** What is worth knowing of a certificate. */
export interface CertificateFacts {
	/** Common name and alternative names, without what kind of name each is. */
	names: string[];
	issuer: string;
	/** In hexadecimal digits. */
	serial: string;
	/** When it ends, ISO 8601. */
	notAfter: string;
	/** Whole days until then; negative once it has ended. */
	daysLeft: number;
	ended: boolean;
}

/**
 * Reads every certificate of a file: PEM, also several in one, or DER. What is none is passed over.
 * @param now milliseconds since 1970
 */
export function certificates(bytes: Buffer, now = Date.now()): CertificateFacts[] {
	const blocks = bytes[0] === 0x30 ? [bytes] : pemBlocks(bytes.toString('latin1'));
	return blocks.flatMap((block) => {
		const certificate = parsed(block);
		return certificate ? [factsOf(certificate, now)] : [];
	});
}

function pemBlocks(text: string): Buffer[] {
	const BLOCK =
		/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]{1,100000})-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
	return [...text.matchAll(BLOCK)].slice(0, MAX_CERTIFICATES).map(([, base64]) => Buffer.from(base64!, 'base64'));
}

function parsed(block: Buffer): X509Certificate | null {
	try {
		return new X509Certificate(block);
	} catch {
		return null;
	}
}

function factsOf(certificate: X509Certificate, now: number): CertificateFacts {
	const end = new Date(certificate.validTo).getTime();
	const common = /^CN=(.+)$/m.exec(certificate.subject ?? '')?.[1];
	const others = (certificate.subjectAltName ?? '')
		.split(', ')
		.map((name) => name.replace(/^(?:DNS|IP Address|email|URI):/, ''));
	return {
		names: [...new Set([common ?? '', ...others])].filter((name) => name !== ''),
		issuer: (certificate.issuer ?? '').replaceAll('\n', ', '),
		serial: certificate.serialNumber,
		notAfter: new Date(end).toISOString(),
		daysLeft: Math.floor((end - now) / DAY_MS),
		ended: end <= now,
	};
}
