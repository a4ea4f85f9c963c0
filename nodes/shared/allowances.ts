/** The option that lets a dump do what is refused otherwise. */
import type { INodeProperties, INodePropertyOptions } from 'n8n-workflow';
import { type Allowance, ALLOWANCES, MEANINGS } from '../../core/sources/postgres/replay/allowances';

const KINDS: INodePropertyOptions[] = ALLOWANCES.map((value) => ({
	name: MEANINGS[value].name,
	value,
	description: describe(value),
}));

const SUPERUSER: INodePropertyOptions = {
	name: 'Superuser',
	value: 'superuser',
	description:
		'Restore as the superuser of the scratch server itself, not as a role made for the drill. Allowed, functions of the dump can do whatever that user can do.',
};

/** @param place where the dump is restored */
export function allowOption(place: 'restore' | 'drill'): INodeProperties {
	const options = place === 'drill' ? [...KINDS, SUPERUSER] : KINDS;
	return {
		displayName: 'Allow in the Dump',
		name: 'allow',
		type: 'multiOptions',
		options: options.sort((one, other) => one.name.localeCompare(other.name)),
		default: [],
		description:
			'A dump that does more than make and fill a database is refused, because pg_dump writes no such dumps, and who can write to the storage could. Allow only what you know to be in the database.',
	};
}

function describe(kind: Allowance): string {
	const { does, risk } = MEANINGS[kind];
	return `A statement that ${does}. ${risk}`;
}
