/**
 * Builds, packs and installs the package, once for each state of the sources.
 * @param options.built the build in `dist` is fresh
 * @returns a folder to be copied to `$N8N_USER_FOLDER/.n8n/nodes`
 */
export function installedPackage(options?: { built?: boolean }): Promise<string>;
