/**
 * Builds, packs and installs the package, once for each state of the sources.
 * @returns a folder to be copied to `$N8N_USER_FOLDER/.n8n/nodes`
 */
export function installedPackage(): Promise<string>;
