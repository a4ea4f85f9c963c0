/**
 * Gives the program's session the locale in which money is written. It cannot come with the options of the connection:
 * connection poolers refuse those. So it is put behind the first setting that the program makes itself.
 */
import { MONEY_LOCALE } from '../../session-settings';

const FIRST_SETTING = 'SET DATESTYLE = ISO';
const FOUND = query(FIRST_SETTING);
const INSTEAD = query(`${FIRST_SETTING}; SET lc_monetary = '${MONEY_LOCALE}'`);

export class MoneyLocale {
	/** Whether the session has it. */
	isSet = false;

	/** @param message of the program to the server. @returns what to send instead */
	pass(message: Uint8Array): Uint8Array {
		if (this.isSet || !FOUND.equals(message)) return message;
		this.isSet = true;
		return INSTEAD;
	}
}

/** 'Q', length, text, a zero (PostgreSQL manual, "Message Formats"). */
function query(text: string): Buffer {
	const message = Buffer.from(`Q\0\0\0\0${text}\0`);
	message.writeUInt32BE(message.length - 1, 1);
	return message;
}
