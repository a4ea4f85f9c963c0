/** The text of S3’s requests and answers. XML is read by its tags: all that is asked for is flat, and names that need escapes are no keys. */

/** The text of the first element of that name, if it has any. */
export function element(xml: string, name: string): string | undefined {
	return new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1]?.trim();
}

/** Every element of these names, in order. They must not hold each other. */
export function elements(xml: string, ...names: string[]): { name: string; text: string }[] {
	const found = xml.matchAll(new RegExp(`<(${names.join('|')})>(.*?)</\\1>`, 'gs'));
	return [...found].map(([, name = '', text = '']) => ({ name, text }));
}

/** Text in a query, as S3's signatures want it: stricter than encodeURIComponent. */
export function escape(text: string): string {
	return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}
