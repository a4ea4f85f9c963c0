/** Certificates in backups of configuration, as their manifests tell of them. */
import type { Manifest } from '../../records/manifest';
import { spanText } from './ages';
import { type Reason, reason } from './reasons';

/** Let's Encrypt renews when a third of 90 days is left; less says that it does not. */
const SOON_MS = 21 * 24 * 3_600_000;

/** Whether a certificate has expired, or will soon. */
export function certificateReasons({ source: { details } }: Manifest, now: Date): Reason[] {
	const end = typeof details.firstCertificateEnd === 'string' ? Date.parse(details.firstCertificateEnd) : NaN;
	const left = end - now.getTime();
	if (!(left < SOON_MS)) return [];
	if (left < 0) return [reason('certificate', 'critical', `a certificate expired ${spanText(-left)} ago`)];
	return [reason('certificate', 'warning', `a certificate expires in ${spanText(left)}`)];
}
