/** A node of this package as the rules need it. */
export interface OurNode {
	/** With the package, e.g. `n8n-nodes-backup.postgresDump`. */
	type: string;
	versions: number[];
	/** The name n8n gives a new node. */
	name: string;
	/** Names of its fields. */
	parameters: string[];
}
/** What is wrong with a workflow template; empty when nothing is. */
export function checkTemplate(template: object, ourNodes: OurNode[]): string[];
