/** What a file of configuration is for, and how it is written, by its name and folder. */
import path from 'node:path';

/** What a file belongs to. `settings` are those of other programs. */
export type ConfigKind =
	| 'compose'
	| 'env'
	| 'nginx'
	| 'caddy'
	| 'traefik'
	| 'haproxy'
	| 'apache'
	| 'systemd'
	| 'cron'
	| 'certificate'
	| 'key'
	| 'prometheus'
	| 'grafana'
	| 'alertmanager'
	| 'postgresql'
	| 'n8n'
	| 'settings';

/** How a file is written: which parser finds its values. */
export type ConfigFormat = 'env' | 'yaml' | 'json' | 'toml' | 'lines' | 'pgpass' | 'htpasswd' | 'text';

/** The whole path with slashes, in lower case; the first that fits counts. */
const KINDS: ReadonlyArray<readonly [RegExp, ConfigKind]> = [
	[/\/(?:docker-)?compose[^/]*\.ya?ml$/, 'compose'],
	[/\/(?:\.env[^/]*|[^/]+\.env)$/, 'env'],
	[/\/\.n8n\/(?:config|[^/]+\.json|nodes\/package\.json)$/, 'n8n'],
	[
		/\/(?:id_(?:rsa|dsa|ecdsa|ed25519)|ssh_host_[a-z0-9]+_key|privkey\d*\.pem|[^/]+\.(?:key|p12|pfx|jks|keystore|ppk))$/,
		'key',
	],
	[/\.(?:crt|cer|pem|der)$/, 'certificate'],
	[/\/(?:nginx[^/]*\.conf|nginx\/.+)$/, 'nginx'],
	[/\/(?:caddyfile[^/]*|[^/]+\.caddyfile)$/, 'caddy'],
	[/\/(?:traefik[^/]*\.(?:ya?ml|toml)|traefik\/.+\.(?:ya?ml|toml|json))$/, 'traefik'],
	[/\/(?:haproxy[^/]*\.cfg|haproxy\/.+\.(?:cfg|map|lst))$/, 'haproxy'],
	[/\/(?:\.htaccess|httpd[^/]*\.conf|(?:apache2|httpd)\/.+\.(?:conf|load))$/, 'apache'],
	[/\/[^/]+\.(?:service|timer|socket|mount|automount|path|target|slice)$|\/systemd\/.+\.conf$/, 'systemd'],
	[/\/(?:crontab|anacrontab|cron\.d\/[^/]+|cron\.(?:hourly|daily|weekly|monthly)\/[^/]+|crontabs\/[^/]+)$/, 'cron'],
	[/\/(?:alertmanager[^/]*\.ya?ml|alertmanager\/.+\.(?:ya?ml|tmpl))$/, 'alertmanager'],
	[/\/(?:prometheus[^/]*\.ya?ml|prometheus\/.+\.(?:ya?ml|rules|json))$/, 'prometheus'],
	[/\/(?:grafana[^/]*\.ini|grafana\/.+\.(?:ini|ya?ml|json))$/, 'grafana'],
	[/\/(?:postgresql[^/]*|pg_hba|pg_ident)\.conf$|\/postgresql\/.+\.conf$/, 'postgresql'],
	[
		/\/(?:\.?my\.cnf|redis[^/]*\.conf|rclone\.conf|\.pgpass|pgpass\.conf|\.?netrc|\.htpasswd|\.docker\/config\.json|daemon\.json|\.kube\/config|\.npmrc|\.git-credentials)$/,
		'settings',
	],
];

/** What a file is by its path; null for what is no configuration that is known. */
export function kindOfFile(file: string): ConfigKind | null {
	const name = `/${file}`.replaceAll(path.sep, '/').toLowerCase();
	return KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

const FORMATS: ReadonlyArray<readonly [RegExp, ConfigFormat]> = [
	[/\/(?:\.env[^/]*|[^/]+\.env|environment)$/, 'env'],
	[/\.ya?ml$|\/\.kube\/config$|\/kubeconfig$|\/mongod\.conf$/, 'yaml'],
	[/\.json[c5]?$|\/\.n8n\/config$/, 'json'],
	[/\.toml$/, 'toml'],
	[/\/\.pgpass$|\/pgpass\.conf$/, 'pgpass'],
	[/htpasswd[^/]*$|\/(?:passwd|shadow)$/, 'htpasswd'],
	[
		/\.(?:ini|cnf|properties|service|timer|socket|mount|automount|path|target|slice|network|netdev|s3cfg|desktop)$|\/systemd\/.+\.conf$|\/(?:rclone|postgresql|wg\d*|supervisord|odbc|sssd|smb)[^/]*\.conf$|\/postgresql\/.+\.conf$|\/wireguard\/|\/\.(?:npmrc|pypirc|gitconfig|s3cfg|boto|aws\/\w+)$/,
		'lines',
	],
];

/** How a file is written by its path. */
export function configFormatOf(file: string): ConfigFormat {
	const name = `/${file}`.replaceAll(path.sep, '/').toLowerCase();
	if (name.endsWith('/pg_hba.conf') || name.endsWith('/pg_ident.conf')) return 'text';
	return FORMATS.find(([pattern]) => pattern.test(name))?.[1] ?? 'text';
}
