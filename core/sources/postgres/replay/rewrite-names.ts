/** Names of tables as users write them. */
import { BackupError } from '../../../base/errors';
import type { Relation } from './sql-tokens';

const PART = /^(?:"((?:[^"]|"")+)"|([^."][^.]*))(?:\.|$)/;

/**
 * `shop.orders`, `orders` for the one in public, `"a.b"."c"` for names that hold a dot or begin with a quote. Nothing is
 * folded to lower case: names are as they are.
 * @throws BackupError 'invalid-input'
 */
export function parseRelation(text: string): Relation {
	const names: string[] = [];
	let rest = text;
	while (rest !== '' && names.length < 3) {
		const [whole, quoted, plain] = PART.exec(rest) ?? [];
		if (whole === undefined || (whole.endsWith('.') && whole.length === rest.length)) break;
		names.push(quoted?.replaceAll('""', '"') ?? plain!);
		rest = rest.slice(whole.length);
	}
	const [first, second] = names;
	if (rest !== '' || first === undefined || names.length > 2) {
		throw new BackupError('invalid-input', `${JSON.stringify(text)} is not the name of a table`, {
			hint: 'Write schema.table; names with dots in double quotes, like "my.schema"."my.table".',
		});
	}
	return second === undefined ? { schema: 'public', name: first } : { schema: first, name: second };
}

/** For people, and to be parsed again. */
export function relationText({ schema, name }: Relation): string {
	return [schema, name].map((part) => (/[."]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part)).join('.');
}
