/**
 * Dumps in other encodings than UTF-8. The embedded database lacks the libraries by which a server converts them, so it is
 * given UTF-8 from the start.
 */
import { TextDecoder } from 'node:util';
import { BackupError } from '../../../../base/errors';

/**
 * PostgreSQL's names with those of the Encoding Standard, for encodings of one byte per character. LATIN1 is not among
 * them: what the standard calls so is WIN1252.
 */
const SINGLE_BYTE: Readonly<Record<string, string>> = {
	LATIN2: 'iso-8859-2',
	LATIN3: 'iso-8859-3',
	LATIN4: 'iso-8859-4',
	LATIN6: 'iso-8859-10',
	LATIN7: 'iso-8859-13',
	LATIN8: 'iso-8859-14',
	LATIN9: 'iso-8859-15',
	LATIN10: 'iso-8859-16',
	ISO_8859_5: 'iso-8859-5',
	ISO_8859_6: 'iso-8859-6',
	ISO_8859_7: 'iso-8859-7',
	KOI8R: 'koi8-r',
	KOI8U: 'koi8-u',
	WIN866: 'ibm866',
	WIN1250: 'windows-1250',
	WIN1251: 'windows-1251',
	WIN1252: 'windows-1252',
	WIN1253: 'windows-1253',
	WIN1254: 'windows-1254',
	WIN1255: 'windows-1255',
	WIN1256: 'windows-1256',
	WIN1257: 'windows-1257',
	WIN1258: 'windows-1258',
};

/** As they are: SQL_ASCII says nothing about what the bytes mean, and what is not UTF-8 will be refused. */
const AS_IT_IS = ['UTF8', 'SQL_ASCII'];

/** Makes UTF-8 of bytes; null where they can stay as they are. */
export type Transcoder = ((bytes: Buffer) => Buffer) | null;

/**
 * @param name as in SET client_encoding
 * @throws BackupError 'unsupported'
 */
export function transcoderFor(name: string): Transcoder {
	const known = name.toUpperCase();
	if (AS_IT_IS.includes(known)) return null;
	if (known === 'LATIN1') return (bytes) => Buffer.from(bytes.toString('latin1'));
	const label = SINGLE_BYTE[known];
	if (label === undefined) {
		throw new BackupError('unsupported', `the embedded database takes no dumps in the encoding ${name}`, {
			hint: 'Use a scratch database on a server.',
		});
	}
	const decoder = new TextDecoder(label, { fatal: true });
	return (bytes) => Buffer.from(decode(decoder, bytes, name));
}

function decode(decoder: TextDecoder, bytes: Buffer, name: string): string {
	try {
		return decoder.decode(bytes);
	} catch (cause) {
		throw new BackupError('unsupported', `the dump has characters of ${name} that have no equivalent in UTF-8`, {
			hint: 'Use a scratch database on a server with the encoding of the original.',
			cause,
		});
	}
}
