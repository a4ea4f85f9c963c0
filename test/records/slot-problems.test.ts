/** What is said of a slot, before the server's disk is full or the log is gone. */
import { fromDetails, type SlotState, slotProblems, toDetails } from '../../core/records/slot-problems';

const GIB = 1024 ** 3;
const slot = (change: Partial<SlotState> = {}): SlotState => ({
	...{ name: 'n8n_backup_0123456789abcdef', status: 'reserved', heldBytes: 1024, safeBytes: 20 * GIB, forgotten: null },
	...change,
});

it.each<[string, Partial<SlotState>, string[]]>([
	['a slot as usual', {}, []],
	['a slot without a limit', { safeBytes: null }, []],
	['a slot that holds much', { heldBytes: 6 * GIB, safeBytes: null }, ['warning']],
	['a slot that is half used up', { heldBytes: 3 * GIB, safeBytes: 2 * GIB }, ['warning']],
	['a slot that is nearly used up', { heldBytes: 4 * GIB, safeBytes: 0.5 * GIB }, ['critical']],
	['a slot beyond its limit', { status: 'unreserved', heldBytes: 4 * GIB, safeBytes: -1000 }, ['critical']],
	['another slot that holds little', { forgotten: { name: 'n8n_backup_1', heldBytes: GIB } }, []],
	['a forgotten slot', { forgotten: { name: 'n8n_backup_1', heldBytes: 6 * GIB } }, ['warning']],
	[
		'a forgotten slot without a limit',
		{ safeBytes: null, forgotten: { name: 'n8n_backup_1', heldBytes: 6 * GIB } },
		['critical'],
	],
])('%s', (_, change, severities) => {
	const state = slot(change);
	expect(slotProblems(state).map(({ severity }) => severity)).toEqual(severities);
	expect(fromDetails(toDetails(state))).toEqual(state);
});

it('gives the SQL that mends it, with a larger limit than there is', () => {
	const [losing] = slotProblems(slot({ heldBytes: 9 * GIB, safeBytes: GIB }));
	expect(losing!.text).toContain("ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf();");
	const [forgotten] = slotProblems(slot({ forgotten: { name: 'n8n_backup_1', heldBytes: 6 * GIB } }));
	expect(forgotten!.text).toContain("SELECT pg_drop_replication_slot('n8n_backup_1');");
});

it('reads nothing from details of anything else, or that somebody has changed', () => {
	expect(fromDetails({})).toBeNull();
	expect(fromDetails({ ...toDetails(slot()), slot: "x'; DROP TABLE y" })).toBeNull();
	expect(fromDetails({ ...toDetails(slot()), slotHeldBytes: 'much' })).toBeNull();
});
