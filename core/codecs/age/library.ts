import { createRequire } from 'node:module';
import type * as AgeLibrary from 'age-encryption';

const load = createRequire(__filename);

/**
 * The age-encryption library, loaded when it is first needed. Loading it takes a tenth of a second, as long as everything else that a
 * short command loads, and most commands neither make nor open a header.
 */
export function ageLibrary(): typeof AgeLibrary {
	return load('age-encryption') as typeof AgeLibrary;
}
