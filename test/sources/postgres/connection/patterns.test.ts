import { translatePattern } from '../../../../core/sources/postgres/connection/patterns';

describe('a pattern of pg_dump', () => {
	it.each([
		['orders', null, '^(orders)$'],
		['Orders', null, '^(orders)$'],
		['"Orders"', null, '^(Orders)$'],
		['public.log_*', '^(public)$', '^(log_.*)$'],
		['*.t?', '^(.*)$', '^(t.)$'],
		['"a.b".c', '^(a\\.b)$', '^(c)$'],
		['"say ""hi"""', null, '^(say "hi")$'],
		['cash$', null, '^(cash\\$)$'],
		['log_[0-9]+', null, '^(log_[0-9]+)$'],
		['"log_[0-9]"', null, '^(log_\\[0-9\\])$'],
		['a|b', null, '^(a|b)$'],
	])('%s means what psql takes it to mean', (pattern, schema, name) => {
		expect(translatePattern(pattern)).toEqual({ schema, name });
	});
});
