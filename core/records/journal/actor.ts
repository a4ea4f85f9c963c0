/** Who started a run, and what kind of run it is: for the journal, and for locks that name their holder. */

export const VERBS = ['backup', 'verify', 'restore', 'copy', 'expire', 'pin', 'unpin', 'approve', 'prune'] as const;
export type Verb = (typeof VERBS)[number];

/** Host, process and program are added by whoever writes it down. */
export interface Actor {
	via: 'n8n' | 'command line' | 'script';
	/** Of n8n: name or number of the workflow, number of the execution, name of the node. */
	workflow?: string;
	execution?: string;
	node?: string;
	/** Who asked for it, where that is not who made the workflow: the role of a caller, the user of a form. */
	requestedBy?: string;
	/** Of a request from outside: its id, see core/records/requests.ts. */
	request?: string;
}
