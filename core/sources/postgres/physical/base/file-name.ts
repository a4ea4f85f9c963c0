/** Names of files as a server writes them, which are bytes. */
import { isUtf8 } from 'node:buffer';

/** The name as text: UTF-8, and otherwise one letter per byte, so that different names stay different. */
export function decodeName(bytes: Buffer): string {
	return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}
