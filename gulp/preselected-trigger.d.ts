export interface TriggerNode {
	name: string;
	/** With the package, e.g. `n8n-nodes-base.webhook`. */
	type: string;
	disabled?: boolean;
}
/** By type, for the triggers that n8n's editor ranks by name; the highest comes first. */
export const PRIORITIES: Record<string, number>;
/** The trigger at which a run begins that somebody starts with "Execute workflow" without choosing one. */
export function preselectedTrigger<Node extends TriggerNode>(nodes: Node[]): Node | undefined;
