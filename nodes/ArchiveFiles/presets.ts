/** What the node's fields hold at first, by what is to be archived. */

/** What applications make anew themselves. In gitignore's syntax, wherever below the path it lies. */
const WEBSITE = `# WordPress
**/wp-content/cache/
**/wp-content/et-cache/
**/wp-content/litespeed/
**/wp-content/upgrade/
# Nextcloud
**/data/appdata_*/preview/
**/data/appdata_*/css/
**/data/appdata_*/js/
# Drupal
**/sites/*/files/css/
**/sites/*/files/js/
**/sites/*/files/php/
**/sites/*/files/styles/
# Laravel, Symfony, TYPO3
**/storage/framework/cache/
**/storage/framework/sessions/
**/storage/framework/views/
**/var/cache/
**/typo3temp/`;

/** A log that is being written would be different each time, and never be one moment. */
const LOGS = `# Everything but what a rotation has closed
*
!*/
!*.gz
!*.xz
!*.zst
!*.bz2
!*.[0-9]*
!*-[0-9]*
!*@*.journal`;

/** What n8n makes anew, and what it only writes for people. A database's `-wal` and `-shm` are left out in any case. */
const N8N = `# Logs
/*.log
/logs/
/crash.journal
# Caches
/node-definitions/
/ssh_private_key_temp`;

/** Defaults of fields. */
interface Preset {
	choose: 'together' | 'each';
	paths: string;
	groupPrefix: string;
	name: string;
	exclude: string;
	keep: string;
}

const NONE: Preset = { choose: 'together', paths: '', groupPrefix: 'files', name: '', exclude: '', keep: 'everything' };

export const PRESETS: Record<'none' | 'volumes' | 'logs' | 'n8n' | 'website', Preset> = {
	none: NONE,
	volumes: { ...NONE, choose: 'each', paths: '/var/lib/docker/volumes/*/_data', groupPrefix: 'volumes' },
	logs: { ...NONE, paths: '/var/log', name: 'logs', exclude: LOGS, keep: 'logs' },
	n8n: { ...NONE, paths: '~/.n8n', name: 'n8n', exclude: N8N },
	website: { ...NONE, exclude: WEBSITE },
};

/** Whether a volume of Docker has no name of its own: then it is called by 64 digits, and nobody could say what it holds. */
export function isAnonymousVolume(name: string): boolean {
	return /^[0-9a-f]{64}$/.test(name);
}

/** The property of a preset that fills a field in. */
export type PresetField = keyof Preset;
