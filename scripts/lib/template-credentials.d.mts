export interface NeededCredential {
	/** The node's name. */
	node: string;
	/** "postgres", "backupStorageApi" */
	type: string;
	/** The template leaves the node switched off, so that a workflow without the credential can be published. */
	deactivated: boolean;
}

/** Types of credentials by what n8n calls them. */
export const CREDENTIAL_TYPES: Record<string, string>;
/** The credentials of a template, by the table that its users read. */
export function credentialsInReadme(template: string): NeededCredential[];
