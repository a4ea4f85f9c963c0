/**
 * Configuration as it is found on servers. `⟦⟧` is a secret without a form of its own, `⟦ghp_#⟧` one with a known beginning, `⟦text⟧` one
 * that stands there as it is. What lies between the marks must go; everything else must stay, to the byte.
 */

/** Path and text of each file. */
export const CORPUS: ReadonlyArray<readonly [string, string]> = [
	[
		'/srv/shop/compose.yml',
		`# The shop. Ask ops before you change it.
name: shop
x-common: &common
  restart: unless-stopped
  logging: { driver: json-file, options: { max-size: 10m } }
services:
  db:
    <<: *common
    image: postgres:16.4-alpine3.20@sha256:6f1f4bd2bf0e3bd3e7d5a6fc1f9bb21ce6b4dbd0ea5ee60fd2ff6ba7a5dd1fa3
    environment:
      POSTGRES_USER: shop
      POSTGRES_PASSWORD: ⟦⟧ # rotate in May
      POSTGRES_INITDB_ARGS: "--auth-host=scram-sha-256"
      PGPASSWORD: "⟦⟧"
      REPLICATION_PASS: '⟦⟧'
      POSTGRES_PASSWORD_FILE: /run/secrets/db_password
      FROM_ENV: \${DB_PASSWORD}
      OTHER_PASSWORD: \${DB_PASSWORD}
      WITH_DEFAULT_PASSWORD: \${DB_PASSWORD:-⟦⟧}
      PIN: ⟦48213377⟧
    volumes:
      - ./data:/var/lib/postgresql/data
      - ./postgresql.conf:/etc/postgresql.conf:ro
    healthcheck:
      test: ["CMD", "pg_isready", "-U", "shop"]
      interval: 10s
    secrets: [db_password, tls_key]
  web:
    <<: *common
    image: registry.example.org/shop/web:2026.11.3
    command: ["gunicorn", "--bind", "0.0.0.0:8000", "--secret-key", "⟦⟧", "shop.wsgi"]
    environment:
      - DATABASE_URL=postgres://shop:⟦⟧@db:5432/shop?sslmode=disable
      - SECRET_KEY=⟦⟧
      - "DJANGO_SECRET=⟦⟧"
      - STRIPE_API_KEY=⟦sk_live_#⟧
      - SENTRY_DSN=⟦https://0a1b2c3d4e5f60718293a4b5c6d7e8f9@o1.ingest.sentry.io/1⟧
      - DEBUG=false
      - ALLOWED_HOSTS=shop.example.org,www.example.org
      - EMAIL_HOST=mail.example.org
      - EMAIL_HOST_PASSWORD=⟦⟧
    labels:
      - traefik.enable=true
      - traefik.http.routers.web.rule=Host(\`shop.example.org\`)
      - traefik.http.middlewares.auth.basicauth.users=⟦admin:$$apr1$$ruca84Hq$$mbjdMZBAG.KWn7vfN/SNK/⟧
    depends_on: [db]
    ports:
      - "127.0.0.1:8000:8000"
  cache:
    image: redis:7.4
    command: redis-server --appendonly yes --requirepass ⟦⟧ --maxmemory 256mb
    healthcheck:
      test: ["CMD", "redis-cli", "-a", "⟦⟧", "ping"]
  old:
    image: mysql:8.4
    environment: { MYSQL_ROOT_PASSWORD: ⟦⟧, MYSQL_DATABASE: old, MYSQL_PASSWORD: "⟦⟧" }
    healthcheck:
      test: ["CMD", "mysqladmin", "ping", "-uroot", "-p⟦⟧"]
    # MYSQL_PASSWORD: ⟦⟧
    #   - ADMIN_TOKEN=⟦⟧
configs:
  app:
    content: |
      [mail]
      host = mail.example.org
      password = ⟦⟧
      port = 587
secrets:
  db_password:
    file: ./secrets/db_password.txt
  tls_key:
    environment: TLS_KEY
`,
	],
	[
		'/srv/shop/.env',
		`# Settings of the shop
APP_NAME="The Shop"
APP_ENV=production
APP_KEY=⟦base64:dGhpc2lzbm90YXJlYWxrZXlqdXN0YXRlc3Q=⟧
export DB_PASSWORD=⟦⟧
DB_HOST=db.example.org
DB_PORT=5432
DB_USER=shop
MAIL_PASSWORD=⟦'two words 'quoted"⟧
SMTP_PASS="⟦with \\"escaped\\" quotes⟧"
JWT_SECRET=⟦a value with spaces⟧
PRIVATE_KEY="⟦-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAlines
-----END RSA PRIVATE KEY-----⟧"
AWS_ACCESS_KEY_ID=⟦AKIA#⟧
AWS_SECRET_ACCESS_KEY=⟦⟧
AWS_REGION=eu-central-1
S3_BUCKET=shop-media
TOKEN_TTL=3600
SESSION_LIFETIME=120
PASSWORD_MIN_LENGTH=12
REDIS_URL=redis://:⟦⟧@cache:6379/0
GITHUB_TOKEN=⟦ghp_#⟧
SLACK=⟦xoxb-#⟧
GITLAB=⟦glpat-#⟧
SOMETHING=⟦#⟧
OAUTH_CLIENT_SECRET=⟦⟧ # from the console
EMPTY_PASSWORD=
# OLD_DB_PASSWORD=⟦⟧
N8N_ENCRYPTION_KEY=⟦⟧
MAILGUN_KEY=⟦⟧
WEBHOOK=https://hooks.slack.com/services/⟦T00000000/B00000000/abcdefghijklmnop⟧
LOG_LEVEL=info
`,
	],
	[
		'/root/restic.env',
		`RESTIC_REPOSITORY=s3:https://s3.example.org/backups
RESTIC_PASSWORD=⟦⟧
B2_ACCOUNT_ID=⟦AKIA#⟧
B2_ACCOUNT_KEY=⟦⟧
RESTIC_CACHE_DIR=/var/cache/restic
`,
	],
	[
		'/etc/nginx/nginx.conf',
		`user www-data;
worker_processes auto;
include /etc/nginx/modules-enabled/*.conf;
events { worker_connections 768; }
http {
    server_tokens off;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:SSL:10m;
    ssl_password_file /etc/nginx/ssl.pass;
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    server {
        listen 443 ssl;
        server_name shop.example.org;
        ssl_certificate /etc/ssl/shop.pem;
        ssl_certificate_key /etc/ssl/private/shop.key;
        auth_basic "Staff only";
        auth_basic_user_file /etc/nginx/.htpasswd;
        location /api/ {
            proxy_pass http://127.0.0.1:8000;
            proxy_set_header Host $host;
            proxy_set_header Authorization "Basic ⟦YWRtaW46aHVudGVyMg==⟧";
            proxy_set_header X-Api-Key ⟦⟧;
            proxy_set_header X-Auth-Token "⟦⟧";
            proxy_set_header Cookie $http_cookie;
            fastcgi_param DB_PASSWORD ⟦⟧;
        }
        location /old/ {
            proxy_set_header Authorization $http_authorization;
            set $api_token "⟦⟧";
            if ($arg_token != "x") { return 403; }
            proxy_pass https://proxy:⟦⟧@upstream.example.org/;
        }
        # the old token: ⟦⟧
    }
}
`,
	],
	[
		'/etc/caddy/Caddyfile',
		`{
	email ops@example.org
	acme_dns cloudflare {env.CLOUDFLARE_API_TOKEN}
}
shop.example.org {
	encode zstd gzip
	basic_auth /admin/* {
		bob ⟦$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG⟧
		eve ⟦⟧
	}
	reverse_proxy 127.0.0.1:8000 {
		header_up Host {host}
		header_up Authorization "Bearer ⟦⟧"
		header_up X-Api-Key ⟦⟧
	}
	tls /etc/ssl/shop.pem /etc/ssl/shop.key
}
`,
	],
	[
		'/etc/traefik/traefik.yml',
		`entryPoints:
  web: { address: ":80" }
certificatesResolvers:
  le:
    acme:
      email: ops@example.org
      storage: /etc/traefik/acme.json
      eab: { kid: "k1", hmacEncoded: "⟦⟧" }
http:
  middlewares:
    staff:
      basicAuth:
        users:
          - "⟦test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/⟧"
    key:
      headers:
        customRequestHeaders:
          X-Forwarded-Proto: https
          Authorization: "Basic ⟦dGVzdDp0ZXN0⟧"
          X-Api-Key: ⟦⟧
`,
	],
	[
		'/etc/traefik/dynamic.toml',
		`# dynamic part
[http.middlewares.staff.basicAuth]
  users = ["⟦a:$2y$05$9vJxkkkkkkkkkkkkkkkkkkuYkkkkkkkkkkkkkkkkkkkkkkkkkkkkk⟧"]
  removeHeader = true
[providers.consul]
  endpoint = "127.0.0.1:8500"
  token = "⟦⟧"
  password = '⟦⟧'
[providers.redis]
  username = "t"
  password = """⟦⟧"""
  db = 0
  secrets = ["⟦⟧", "⟦⟧"]
[tls]
  certFile = "/etc/ssl/shop.pem"
  keyFile = "/etc/ssl/shop.key" # the key
# token = "⟦⟧"
`,
	],
	[
		'/etc/haproxy/haproxy.cfg',
		`global
    log /dev/log local0
    maxconn 4096
defaults
    mode http
    timeout connect 5s
userlist staff
    group admins users bob
    user bob password ⟦$6$k6y3o.eP$JlKBx9za9667qe4xHSwRv6J.C0/D7cV91⟧ groups admins
    user eve insecure-password ⟦⟧ groups admins
frontend web
    bind :443 ssl crt /etc/haproxy/shop.pem
    http-request set-header X-Api-Key ⟦⟧
    http-request auth realm Staff unless { http_auth(staff) }
    default_backend app
backend app
    cookie SERVERID insert indirect nocache
    server a 10.0.0.1:80 check cookie a
listen stats
    stats enable
    stats auth admin:⟦⟧
`,
	],
	[
		'/etc/apache2/sites-available/shop.conf',
		`<VirtualHost *:443>
    ServerName shop.example.org
    DocumentRoot /var/www/shop
    SSLCertificateFile /etc/ssl/shop.pem
    SSLCertificateKeyFile /etc/ssl/shop.key
    SetEnv APP_ENV production
    SetEnv DB_PASSWORD ⟦⟧
    SetEnv API_TOKEN "⟦⟧"
    RequestHeader set Authorization "Bearer ⟦⟧"
    RequestHeader set X-Forwarded-Proto "https"
    AuthType Basic
    AuthUserFile /etc/apache2/.htpasswd
    AuthLDAPBindPassword ⟦⟧
    AuthLDAPBindPassword "⟦⟧"
    ProxyPass /api http://127.0.0.1:8000/
    ProxyPassReverse /api http://127.0.0.1:8000/
    RewriteRule ^/(.*)$ /index.php?q=$1 [L]
</VirtualHost>
`,
	],
	[
		'/etc/systemd/system/shop.service',
		`[Unit]
Description=The shop
After=network-online.target
[Service]
User=shop
Environment=NODE_ENV=production
Environment=DB_PASSWORD=⟦⟧
Environment="API_TOKEN=⟦two words⟧" "PORT=8000"
Environment='SMTP_PASSWORD=⟦⟧' LANG=C.UTF-8
EnvironmentFile=-/etc/default/shop
ExecStart=/usr/bin/shop --port 8000 --api-token ⟦⟧ --verbose
ExecStartPre=/usr/bin/curl -u admin:⟦⟧ https://example.org/
Restart=always
[Install]
WantedBy=multi-user.target
`,
	],
	[
		'/etc/cron.d/backup',
		`MAILTO=ops@example.org
PGPASSWORD=⟦⟧
0 3 * * * root pg_dump -h db shop > /backups/shop.sql
5 3 * * * root MYSQL_PWD=⟦⟧ mysqldump shop > /backups/my.sql
6 3 * * * root mysqldump -u root -p⟦⟧ shop > /backups/my2.sql
7 3 * * * root curl -H "Authorization: Bearer ⟦⟧" https://example.org/ping
8 3 * * * root sshpass -p ⟦⟧ ssh backup@example.org
`,
	],
	[
		'/etc/grafana/grafana.ini',
		`[server]
domain = grafana.example.org
[database]
type = postgres
user = grafana
; password = ⟦⟧
password = """⟦#with;all⟧"""
[security]
admin_user = admin
admin_password = ⟦⟧
secret_key = ⟦⟧
cookie_secure = true
[smtp]
enabled = true
password = $__file{/etc/secrets/smtp}
[auth.generic_oauth]
enabled = true
client_id = grafana
client_secret = ⟦⟧
scopes = openid email
[auth.ldap]
bind_password = ⟦⟧
token_rotation_interval_minutes = 10
`,
	],
	[
		'/etc/prometheus/prometheus.yml',
		`global: { scrape_interval: 15s }
scrape_configs:
  - job_name: shop
    metrics_path: /metrics
    basic_auth: { username: prom, password: ⟦⟧ }
    static_configs:
      - targets: ['localhost:9100']
  - job_name: other
    authorization:
      type: Bearer
      credentials: ⟦⟧
    bearer_token_file: /etc/prometheus/token
remote_write:
  - url: https://user:⟦⟧@metrics.example.org/write
`,
	],
	[
		'/etc/alertmanager/alertmanager.yml',
		`global:
  smtp_smarthost: mail.example.org:587
  smtp_auth_username: alert
  smtp_auth_password: ⟦⟧
  slack_api_url: "⟦https://hooks.slack.com/services/T1/B2/c3d4e5f6⟧"
  resolve_timeout: 5m
route: { receiver: ops, group_by: [alertname] }
receivers:
  - name: ops
    pagerduty_configs:
      - routing_key: ⟦⟧
        service_key: '⟦⟧'
    telegram_configs:
      - bot_token: "⟦⟧"
        chat_id: -100123
`,
	],
	[
		'/etc/postgresql/16/main/postgresql.conf',
		`listen_addresses = '*'	# all
max_connections = 100
password_encryption = scram-sha-256
ssl_key_file = '/etc/ssl/private/ssl.key'
primary_conninfo = 'host=db1 user=rep password=⟦⟧ sslmode=require'
#primary_conninfo = 'host=db1 password=⟦⟧ user=rep'
ssl_passphrase_command = '⟦echo hunter2⟧'
`,
	],
	[
		'/etc/postgresql/16/main/pg_hba.conf',
		`# TYPE DATABASE USER ADDRESS METHOD
local all postgres peer
host all all 10.0.0.0/8 scram-sha-256
host all all 0.0.0.0/0 ldap ldapserver=ldap.example.org ldapbinddn="cn=pg" ldapbindpasswd="⟦⟧"
host all all 0.0.0.0/0 radius radiusservers="r1" radiussecrets="⟦⟧"
`,
	],
	['/root/.pgpass', `# comment\ndb.example.org:5432:shop:shop:⟦⟧\n*:*:*:a\\:b:⟦pa\\:ss⟧\n`],
	['/etc/nginx/.htpasswd', `bob:⟦$apr1$x$abcdefgh⟧\neve:⟦⟧\n`],
	[
		'/home/node/.n8n/config',
		`{
	"encryptionKey": "⟦⟧",
	"instanceId": "n"
}`,
	],
	[
		'/root/.docker/config.json',
		`{
  // registries
  "auths": {
    "registry.example.org": { "auth": "⟦dXNlcjpwYXNz⟧", "email": "ops@example.org" },
    "https://index.docker.io/v1/": { "identitytoken": "⟦⟧" },
  },
  "detachKeys": "⟦ctrl-e,e⟧", /* token: ⟦⟧ */
  "credsStore": "⟦desktop⟧",
  "psFormat": "table"
}
`,
	],
	[
		'/root/.kube/config',
		`apiVersion: v1
kind: Config
clusters:
  - name: prod
    cluster: { server: "https://k8s.example.org:6443", certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI= }
users:
  - name: admin
    user:
      client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI=
      client-key-data: ⟦LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCg==⟧
      token: ⟦eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl⟧
`,
	],
	[
		'/srv/k8s/secret.yaml',
		`apiVersion: v1
kind: Secret
metadata: { name: shop }
type: Opaque
data:
  user: ⟦c2hvcA==⟧
  anything: ⟦aHVudGVyMg==⟧
stringData:
  url: ⟦http://example.org⟧
---
apiVersion: apps/v1
kind: Deployment
spec:
  containers:
    - name: web
      env:
        - name: DB_PASSWORD
          value: ⟦⟧
        - name: LOG_LEVEL
          value: info
        - name: API_KEY
          valueFrom:
            secretKeyRef: { name: shop, key: password }
  imagePullSecrets:
    - name: regcred
  volumes:
    - secret: { secretName: shop-tls }
  tolerations:
    - key: node-role.kubernetes.io/control-plane
      operator: Exists
`,
	],
	[
		'/root/rclone.conf',
		`[s3]
type = s3
provider = Minio
access_key_id = ⟦⟧
secret_access_key = ⟦⟧
endpoint = https://s3.example.org
[drive]
type = drive
token = ⟦{"access_token":"ya29.abc","expiry":"2026"}⟧
[crypt]
type = crypt
password = ⟦⟧
password2 = ⟦⟧
`,
	],
	[
		'/etc/mysql/my.cnf',
		`[client]
user=root
password="⟦⟧"
port = 3306
[mysqld]
bind-address=127.0.0.1
skip-name-resolve
max_allowed_packet=64M
#password = ⟦⟧
!includedir /etc/mysql/conf.d/
`,
	],
	[
		'/etc/redis/redis.conf',
		`bind 127.0.0.1
port 6379
requirepass ⟦⟧
masterauth ⟦⟧
# requirepass ⟦⟧
maxmemory 256mb
save 900 1
`,
	],
	[
		'/var/www/wp-config.php',
		`<?php
define( 'DB_NAME', 'wordpress' );
define( 'DB_PASSWORD', '⟦⟧' );
define('DB_HOST', 'localhost');
define('AUTH_KEY',         '⟦put your unique phrase here⟧');
define('SECURE_AUTH_SALT', '⟦p@!~ something | long⟧');
$table_prefix = 'wp_';
$config['smtp_password'] = "⟦⟧";
$settings = [ 'secret' => '⟦⟧', 'debug' => false ];
$password = getenv('DB_PASSWORD');
// password: ⟦⟧
`,
	],
	[
		'/etc/app/settings.xml',
		`<settings>
  <server id="a"><username>u</username><password>⟦⟧</password></server>
  <add key="ApiToken" value="⟦⟧"/>
  <add key="Theme" value="dark"/>
</settings>
`,
	],
	[
		'/root/.netrc',
		`machine example.org login bob password ⟦⟧
machine api.example.org
	login eve
	password ⟦⟧
`,
	],
	[
		'/etc/wireguard/wg0.conf',
		`[Interface]
Address = 10.8.0.1/24
PrivateKey = ⟦⟧
ListenPort = 51820
[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
PresharedKey = ⟦⟧
AllowedIPs = 10.8.0.2/32
`,
	],
	[
		'/srv/ci/deploy.sh',
		`#!/bin/sh
set -eu
export TOKEN="⟦⟧"
PASSWORD=⟦⟧ ./deploy --host example.org
curl -fsS -u "deploy:⟦⟧" https://example.org/
docker login -u ci -p ⟦⟧ registry.example.org
git clone https://oauth2:⟦⟧@git.example.org/shop.git
aws configure set region eu-central-1
echo ⟦ghp_#⟧ | gh auth login --with-token
# ⟦AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ⟧
age -r age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p file
`,
	],
	[
		'/root/.npmrc',
		`registry=https://registry.example.org/
//registry.example.org/:_authToken=⟦⟧
//other.example.org/:_password=⟦⟧
always-auth=true
`,
	],
	['/root/.git-credentials', `https://bob:⟦⟧@git.example.org\nhttps://eve:⟦⟧@git.example.com\n`],
	[
		'/etc/supervisor/supervisord.conf',
		`[program:shop]
command=/usr/bin/shop --token ⟦⟧ --port 80
environment=PORT="80",API_KEY="⟦⟧",LANG="C",DB_PASS='⟦⟧'
[unix_http_server]
username = u
password = ⟦⟧
`,
	],
	[
		'/srv/shop/Dockerfile',
		`FROM node:24-alpine
ENV NODE_ENV=production
ENV API_TOKEN=⟦⟧
ENV DB_PASSWORD ⟦⟧
ARG NPM_TOKEN=⟦⟧
RUN npm ci && echo done
`,
	],
	[
		'/srv/app/application.properties',
		`# Spring
server.port=8080
spring.datasource.url=jdbc:postgresql://db:5432/shop
spring.datasource.username=shop
spring.datasource.password=⟦⟧
spring.mail.password: ⟦⟧
jwt.secret = ⟦⟧
app.session.timeout=30m
encryption.key=⟦⟧
! old.password=⟦⟧
`,
	],
	[
		'/root/.msmtprc',
		`account default
host mail.example.org
user ops@example.org
password ⟦⟧
from ops@example.org
`,
	],
	[
		'/etc/bind/rndc.key',
		`key "rndc-key" {
	algorithm hmac-sha256;
	secret "⟦⟧";
};
`,
	],
	[
		'/etc/fstab',
		`UUID=0a1b2c3d-1111-2222-3333-444455556666 / ext4 defaults 0 1
//nas/share /mnt/nas cifs username=bob,password=⟦⟧,uid=1000 0 0
`,
	],
	[
		'/srv/app/config.json',
		`{
	"port": 8080,
	"db": { "host": "db", "user": "app", "password": "⟦⟧", "poolSize": 5 },
	"url": "mongodb://app:⟦⟧@db:27017/app",
	"smtp": { "auth": { "user": "ops", "pass": "⟦⟧" } },
	"apiKeys": ["⟦⟧", "⟦⟧"],
	"oauth": { "clientId": "app", "clientSecret": "⟦⟧", "tokenType": "Bearer" },
	"env": [{ "name": "APP_PASSWORD", "value": "⟦⟧" }, { "value": "⟦⟧", "name": "ADMIN_TOKEN" }, { "name": "LANG", "value": "C" }],
	"args": ["serve", "--admin-password", "⟦⟧", "--port", "80"],
	"note": "passwordless login is off",
	"header": "Authorization: Bearer ⟦⟧",
	"hook": "https://example.org/hook?id=5&token=⟦⟧&mode=fast",
	"features": { "darkMode": true, "rounds": 12 }
}
`,
	],
	[
		'/srv/app/settings.py',
		`DEBUG = False
SECRET_KEY = '⟦⟧'
DATABASES = {'default': {'ENGINE': 'postgres', 'PASSWORD': '⟦⟧', 'HOST': 'db'}}
API = os.environ["API_TOKEN"]
ADMIN_PASSWORD = os.environ["ADMIN_PASSWORD"]
EMAIL_HOST_PASSWORD = "⟦⟧"  # old: ⟦xoxp-#⟧
`,
	],
	[
		'/srv/app/terraform.tfvars',
		`region = "eu-central-1"
db_password = "⟦⟧"
github_token = "⟦ghp_#⟧"
tags = { team = "ops" }
`,
	],
	[
		'/srv/app/ansible.yml',
		`all:
  vars:
    ansible_user: deploy
    ansible_password: ⟦⟧
    ansible_become_pass: "⟦⟧"
    shared: &pw ⟦⟧
    db_password: *pw
    vault_password_file: ./vault.txt
    multi_secret: ⟦|
      first line of it
      second line⟧
    after: it
    password: !secret mqtt_password
    mqtt: { user: a, passwd: ⟦⟧, port: 1883 }
`,
	],
	[
		'/srv/app/more.yaml',
		`mail: { smtpPassword: ⟦⟧, smtpUser: ops }
ldap:
  bindPW: ⟦⟧
  bind_dn: cn=app,dc=example,dc=org
oidc:
  client-secret: ⟦⟧
  cookieSecret: "⟦⟧"
s3:
  accessKey: ⟦⟧
  secretKey: ⟦⟧
  bucket: media
wifi_psk: ⟦⟧
totpSeed: ⟦⟧
session:
  secrets:
    - ⟦⟧
    - "⟦⟧"
passphrase: >-
  ⟦⟧
licenseKey: ⟦⟧
hmac_key: ⟦⟧
`.replace('>-\n  ⟦⟧', '⟦>-\n  one two three⟧'),
	],
];
