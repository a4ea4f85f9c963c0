/** The text of S3’s requests and answers. XML is read by its tags: all that is asked for is flat. */

/** The text of the first element of that name, if it has any. Listings have very many: nothing is built to find it. */
export function element(xml: string, name: string): string | undefined {
	const start = xml.indexOf(`<${name}>`) + name.length + 2;
	const end = xml.indexOf('<', start);
	if (start < name.length + 2 || !xml.startsWith(`</${name}>`, end)) return undefined;
	return xml.slice(start, end) || undefined;
}

/** The same, of what is a number, a time or a word: blanks around it mean nothing. Around names and tags of objects they do. */
export function word(xml: string, name: string): string | undefined {
	return element(xml, name)?.trim() || undefined;
}

/**
 * Every element of these names, in order. They must not hold each other. One that does not end holds all that is left, so that the time
 * this takes is that of the text, whatever a server sends.
 */
export function elements(xml: string, ...names: string[]): { name: string; text: string }[] {
	const found: { name: string; text: string }[] = [];
	const start = new RegExp(`<(${names.join('|')})>`, 'g');
	for (let match = start.exec(xml); match; match = start.exec(xml)) {
		const name = match[1]!;
		const end = xml.indexOf(`</${name}>`, start.lastIndex);
		found.push({ name, text: xml.slice(start.lastIndex, end < 0 ? undefined : end) });
		if (end < 0) break;
		start.lastIndex = end + `</${name}>`.length;
	}
	return found;
}

/** Text in a query, as S3's signatures want it: stricter than encodeURIComponent. */
export function escape(text: string): string {
	return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Text of an element, with its escapes undone. */
export function plain(text: string): string {
	return text.replace(/&(?:(\w+)|#(\d+)|#x([\da-f]+));/gi, (whole, name?: string, decimal?: string, hex?: string) => {
		if (name !== undefined) return ENTITIES[name] ?? whole;
		const code = decimal === undefined ? parseInt(hex!, 16) : Number(decimal);
		return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
	});
}
