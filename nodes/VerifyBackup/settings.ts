/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { type Depth, DEPTHS } from '../../core/records/evidence';
import { assertGroup } from '../../core/records/label';
import type { N8nCheckOptions } from '../../core/sources/n8n/checks';
import type { DecryptionKeys } from '../../core/codecs/age/age';
import type { Limits } from '../../core/streams/pipeline';
import { DRILL_MOMENTS, type DrillMoment } from '../../core/sources/postgres/physical/drill/log-behind';
import type { Assertion } from '../../core/sources/postgres/drill/assertions';
import type { DrillOptions } from '../../core/sources/postgres/drill/drill';
import type { Scratch } from '../../core/sources/postgres/drill/scratch-database';
import type { VerifyChoice } from '../../core/verbs/verify/verify';
import { ALLOWANCES, ALLOWED_IN_DRILLS, parseAllowances } from '../../core/sources/postgres/replay/allowances';
import { readDecryptionKeys, toDatabaseTarget } from '../shared/credentials';
import { type LimitFields, readLimits } from '../shared/limits';
import { locatorValue, splitList } from '../shared/run';
import { filled, positive, unknownOption } from '../shared/values';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields extends LimitFields {
	allowUnsigned?: boolean;
	allow?: string[];
	failOnEnvironment?: boolean;
	n8nGroup?: string;
	n8nKeyFile?: string;
	clusterMoment?: unknown;
	assertDatabase?: string;
}

/** As the engine takes it, or the newest backup of the one group that an item names. */
export type NodeChoice = VerifyChoice | { kind: 'group'; group: string };

export interface VerifySettings {
	allowUnsigned: boolean;
	choice: NodeChoice;
	depth: Depth;
	keys: DecryptionKeys | null;
	/** Absent where nothing is restored. */
	drill?: DrillOptions;
	/** Where the key of n8n is, with which the credentials of its database are to be opened; absent where they are not. */
	n8n?: Pick<N8nCheckOptions, 'group' | 'keyFile'>;
	/** Of base backups: up to which moment they are restored, and which database is asked. */
	cluster: { moment: DrillMoment; database: string | undefined };
	limits: Limits;
	failOnEnvironment: boolean;
}

const ESCROW =
	'Verify with the depth "Stored" here, and where the identity is with "n8n-backup verify --depth restored --identity FILE": what it finds is stored beside the backup. Or add the identity to the credential.';

/** For an item that names no backup, as those of a trigger. */
const INSTEAD = 'Or set "Which Backups" to "Newest of Each Group".';

/** @throws BackupError 'invalid-input' */
export async function readSettings(context: IExecuteFunctions, itemIndex: number): Promise<VerifySettings> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const depth = context.getNodeParameter('depth', itemIndex) as Depth;
	if (!DEPTHS.includes(depth)) throw unknownOption('Depth', depth);
	return {
		allowUnsigned: options.allowUnsigned === true,
		choice: readChoice(context, itemIndex),
		depth,
		limits: readLimits(options),
		failOnEnvironment: options.failOnEnvironment !== false,
		keys: depth === 'stored' ? null : await readDecryptionKeys(context, itemIndex, ESCROW),
		drill: depth === 'restored' ? await readDrill(context, itemIndex, options.allow ?? []) : undefined,
		n8n: readN8n(options, depth),
		cluster: { moment: readMoment(options.clusterMoment ?? 'newest'), database: options.assertDatabase || undefined },
	};
}

/** @throws BackupError 'invalid-input' */
function readN8n({ n8nGroup, n8nKeyFile = '' }: OptionFields, depth: Depth): VerifySettings['n8n'] {
	if (n8nGroup === undefined && n8nKeyFile === '') return undefined;
	const group = filled('N8n’s Files (Group)', n8nGroup?.trim() ?? '');
	assertGroup(group);
	if (depth === 'restored') return { group, ...(n8nKeyFile.trim() !== '' && { keyFile: n8nKeyFile.trim() }) };
	throw new BackupError('invalid-input', `n8n’s credentials are opened at the depth "Restored", not "${depth}"`, {
		hint: 'Choose that depth, or remove the option.',
	});
}

function readMoment(value: unknown): DrillMoment {
	const moment = DRILL_MOMENTS.find((each) => each === value);
	if (moment) return moment;
	throw unknownOption('Cluster up To', value);
}

function readChoice(context: IExecuteFunctions, itemIndex: number): NodeChoice {
	const kind = context.getNodeParameter('choose', itemIndex) as NodeChoice['kind'];
	const named = () => splitList(context.getNodeParameter('groups', itemIndex, ''));
	const groups = () => (named().length > 0 ? { groups: named() } : {});
	const group = () => filled('Group', locatorValue(context, 'group', itemIndex), INSTEAD);
	switch (kind) {
		case 'label':
			return { kind, group: group(), label: filled('Backup', locatorValue(context, 'label', itemIndex)) };
		case 'group':
			return { kind, group: group() };
		case 'newest':
		case 'unverified':
			return { kind, ...groups() };
		case 'share': {
			const parts = positive('Days per Round', context.getNodeParameter('parts', itemIndex));
			return { kind, parts, day: new Date(), ...groups() };
		}
		default:
			throw unknownOption('Which Backups', kind);
	}
}

async function readDrill(context: IExecuteFunctions, itemIndex: number, allow: string[]): Promise<DrillOptions> {
	const allowed = parseAllowances(allow, ALLOWED_IN_DRILLS);
	return {
		scratch: await readScratch(context, itemIndex, allowed.includes('superuser')),
		assertions: readAssertions(context, itemIndex),
		allow: ALLOWANCES.filter((kind) => allowed.includes(kind)),
	};
}

async function readScratch(context: IExecuteFunctions, itemIndex: number, asSuperuser: boolean): Promise<Scratch> {
	const kind = context.getNodeParameter('scratch', itemIndex) as Scratch['kind'];
	if (kind === 'embedded') return { kind };
	if (kind !== 'server') throw unknownOption('Scratch Database', kind);
	return { kind, target: toDatabaseTarget(await context.getCredentials('postgres', itemIndex)), asSuperuser };
}

function readAssertions(context: IExecuteFunctions, itemIndex: number): Assertion[] {
	const { assertion = [] } = context.getNodeParameter('assertions', itemIndex, {}) as { assertion?: Assertion[] };
	return assertion.map(({ name, sql }, index) => ({
		name: filled(`Name of assertion ${index + 1}`, name.trim()),
		sql: filled(`SQL of assertion ${index + 1}`, sql.trim()),
	}));
}
