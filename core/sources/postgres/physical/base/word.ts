/** The word in manifests of base backups. */
export const CLUSTER = 'cluster';
