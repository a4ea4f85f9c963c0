import type { CredentialReference, Workflow } from './n8n-client.mjs';

export type TemplateName =
	| 'backup-api'
	| 'backup-dashboard'
	| 'backup-errors'
	| 'backup-monitoring'
	| 'bucket-backup'
	| 'config-backup'
	| 'customer-data-backup'
	| 'database-backup'
	| 'n8n-self-backup'
	| 'new-key'
	| 'point-in-time'
	| 'quick-start'
	| 'restore-database'
	| 'restore-drill'
	| 'retention';

export interface Choices {
	/** By type; each node gets those, and only those, that the table of workflows/README.md names for it. */
	credentials: Record<string, CredentialReference>;
	/** By the node's name: other ones, or more than the table asks for. */
	credentialsOf?: Record<string, Record<string, CredentialReference>>;
	/** Values for the template's Settings node. */
	settings?: Record<string, unknown>;
	/** By the node's name: fields that a user changes in it. */
	fieldsOf?: Record<string, Record<string, unknown>>;
	/** Names of nodes that the template leaves deactivated. */
	activate?: string[];
}

/**
 * A template as a user imports it, with credentials chosen and settings filled in.
 * @throws Error when a credential of the table is not among the chosen ones, or the template has no such node or setting
 */
export function readTemplate(name: TemplateName, choices: Choices): Workflow;
