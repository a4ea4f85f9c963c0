/** A dump as pg_dump's options: the same for every engine. How to connect is not among them, so nothing here is secret. */
import type { DumpRequest } from './engine';

/** Patterns are joined to their option by "=", so that none can be taken for an option itself. */
export function dumpArguments({ format, filter, snapshot, lockTimeoutMs }: DumpRequest): string[] {
	const each = (option: string, patterns: string[] = []) => patterns.map((pattern) => `--${option}=${pattern}`);
	return [
		`--format=${format}`,
		// The pipeline compresses better and faster than pg_dump's own gzip.
		...(format === 'custom' ? ['--compress=0'] : []),
		'--no-password',
		`--lock-wait-timeout=${Math.max(1, Math.round(lockTimeoutMs))}`,
		...(snapshot === undefined ? [] : [`--snapshot=${snapshot}`]),
		...(filter.schemaOnly ? ['--schema-only'] : []),
		...each('schema', filter.schemas),
		...each('exclude-schema', filter.excludeSchemas),
		...each('table', filter.tables),
		...each('exclude-table', filter.excludeTables),
		...each('exclude-table-data', filter.excludeTableData),
	];
}
