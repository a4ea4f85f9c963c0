/** The word in manifests of pieces of log. */
export const LOG = 'wal';
