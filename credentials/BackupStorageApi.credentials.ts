import type { ICredentialType, INodeProperties, Icon } from 'n8n-workflow';

/** Where backups are kept: a folder n8n can write to, a bucket, or an SFTP server. */
export class BackupStorageApi implements ICredentialType {
	name = 'backupStorageApi';

	displayName = 'Backup Storage API';

	icon: Icon = { light: 'file:../nodes/icons/backupStorage.svg', dark: 'file:../nodes/icons/backupStorage.dark.svg' };

	documentationUrl = 'https://www.npmjs.com/package/n8n-nodes-backup';

	properties: INodeProperties[] = [
		{
			displayName: 'Storage',
			name: 'type',
			type: 'options',
			options: [
				{ name: 'Folder', value: 'folder' },
				{ name: 'S3 or MinIO Bucket', value: 's3' },
				{ name: 'SFTP Server', value: 'sftp' },
			],
			default: 'folder',
		},
		{
			displayName: 'Folder',
			name: 'path',
			type: 'string',
			default: '',
			placeholder: 'e.g. ~/.n8n-files/backups',
			required: true,
			description:
				'An existing folder that n8n can write to, and that survives the loss of this machine: a mounted disk or share. n8n allows only folders in <code>~/.n8n-files</code> (in its Docker image <code>/home/node/.n8n-files</code>: mount a volume there), unless N8N_RESTRICT_FILE_ACCESS_TO names others. It is never created for you, so that a disk that is not mounted is noticed.',
			displayOptions: { show: { type: ['folder'] } },
		},
		{
			displayName: 'Provider',
			name: 'provider',
			type: 'options',
			options: [
				{ name: 'Amazon S3', value: 'aws' },
				{ name: 'Backblaze B2', value: 'b2' },
				{ name: 'Ceph', value: 'ceph' },
				{ name: 'Cloudflare R2', value: 'r2' },
				{ name: 'DigitalOcean Spaces', value: 'digitalocean' },
				{ name: 'Google Cloud Storage', value: 'gcs' },
				{ name: 'Hetzner', value: 'hetzner' },
				{ name: 'MinIO', value: 'minio' },
				{ name: 'Other', value: 'other' },
				{ name: 'Wasabi', value: 'wasabi' },
			],
			// Credentials from before there was this field get it, and their fields mean what they meant.
			default: 'other',
			description: 'Whose bucket it is: fills in what follows from that. Google wants HMAC keys for it.',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Endpoint',
			name: 'endpoint',
			type: 'string',
			default: '',
			placeholder: 'e.g. https://minio.example.org:9000',
			description:
				'Address of the S3 server with http:// or https://. For Cloudflare R2, what it shows as <i>S3 API</i>, without the bucket. With the provider <i>Other</i>, none means Amazon S3.',
			displayOptions: { show: { type: ['s3'], provider: ['other', 'minio', 'ceph', 'r2'] } },
		},
		{
			displayName: 'Region',
			name: 'region',
			type: 'string',
			default: 'us-east-1',
			placeholder: 'e.g. eu-central-1',
			displayOptions: { show: { type: ['s3'], provider: ['other', 'aws', 'minio', 'ceph', 'wasabi'] } },
		},
		{
			displayName: 'Region',
			// Not `region`: n8n would fill in the default of the field above, which is a region of none of these. And not `required`:
			// n8n's API then refuses all credentials that name no provider. Who needs it and has none is told so by the test.
			name: 'location',
			type: 'string',
			default: '',
			placeholder: 'e.g. eu-central-003, fsn1 or fra1',
			description: 'As the provider shows it in the endpoint of the bucket',
			displayOptions: { show: { type: ['s3'], provider: ['b2', 'digitalocean', 'hetzner'] } },
		},
		{
			displayName: 'Bucket',
			name: 'bucket',
			type: 'string',
			default: '',
			placeholder: 'e.g. backups',
			required: true,
			description: 'An existing bucket',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Prefix',
			name: 'prefix',
			type: 'string',
			default: '',
			placeholder: 'e.g. n8n/production',
			description: 'Path inside the bucket under which the backups are kept',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Use the Role of This Machine',
			name: 'useRole',
			type: 'boolean',
			default: false,
			description:
				'Whether to use the role that n8n has on EC2, ECS or EKS, and no keys. n8n’s operator has to allow it: N8N_AWS_SYSTEM_CREDENTIALS_ACCESS_ENABLED=true.',
			displayOptions: { show: { type: ['s3'], provider: ['aws'] } },
		},
		{
			displayName: 'Access Key ID',
			name: 'accessKeyId',
			type: 'string',
			default: '',
			description:
				'Needs to list, read, write and delete objects under the prefix, and to abort multipart uploads. Without the right to delete, see Keys May Not Delete.',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Secret Access Key',
			name: 'secretAccessKey',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Session Token',
			name: 'sessionToken',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			description: 'Only for temporary keys',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Force Path Style',
			name: 'forcePathStyle',
			type: 'boolean',
			default: true,
			description:
				'Whether the bucket is part of the path (https://host/bucket) and not of the host name (https://bucket.host). MinIO and most other servers need it; for Amazon S3 it makes no difference.',
			displayOptions: { show: { type: ['s3'], provider: ['other'] } },
		},
		{
			displayName: 'Keys May Not Delete',
			name: 'appendOnly',
			type: 'boolean',
			default: false,
			description:
				'Whether these keys can only add, so that whoever takes over n8n cannot destroy backups. Nothing here is removed or locked then: retention and tidying up have to run on another machine, with keys that may delete.',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Keys May Only Read',
			name: 'readOnly',
			type: 'boolean',
			default: false,
			description:
				'Whether these keys can only list and read: all that a bucket needs that is backed up, and backups that are only restored. The test of this credential writes nothing then.',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Certificate Authority',
			name: 'ca',
			type: 'string',
			typeOptions: { rows: 4 },
			default: '',
			placeholder: 'e.g. -----BEGIN CERTIFICATE-----',
			description: 'PEM text of your own certificate authority, when the server’s certificate is not publicly trusted',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Server-Side Encryption',
			name: 'serverSideEncryption',
			type: 'options',
			options: [
				{ name: 'As the Bucket Says', value: '' },
				{ name: 'SSE-KMS (a Key of AWS KMS)', value: 'aws:kms' },
				{ name: 'SSE-S3 (AES256)', value: 'AES256' },
			],
			default: '',
			description:
				'Asks the server to encrypt objects once more with its own key. Does not replace the backup’s encryption.',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'KMS Key',
			name: 'kmsKey',
			type: 'string',
			default: '',
			placeholder: 'e.g. arn:aws:kms:eu-central-1:111122223333:key/…',
			description:
				'ID, alias or ARN. The keys above need kms:GenerateDataKey and kms:Decrypt on it. Empty for the one that AWS made for S3.',
			displayOptions: { show: { type: ['s3'], serverSideEncryption: ['aws:kms'] } },
		},
		{
			displayName: 'Storage Class',
			name: 'storageClass',
			type: 'string',
			default: '',
			placeholder: 'e.g. STANDARD_IA',
			description:
				'Of what is stored and has 128 KB or more, as the provider calls it. Empty for the usual one. Classes from which nothing can be read right away are refused: backups are read back.',
			displayOptions: { show: { type: ['s3'] } },
		},
		{
			displayName: 'Host',
			name: 'sftpHost',
			type: 'string',
			default: '',
			placeholder: 'e.g. backup.example.org',
			required: true,
			displayOptions: { show: { type: ['sftp'] } },
		},
		{
			displayName: 'Port',
			name: 'sftpPort',
			type: 'number',
			default: 22,
			displayOptions: { show: { type: ['sftp'] } },
		},
		{
			displayName: 'User',
			name: 'sftpUser',
			type: 'string',
			default: '',
			required: true,
			displayOptions: { show: { type: ['sftp'] } },
		},
		{
			displayName: 'Folder on the Server',
			name: 'sftpPath',
			type: 'string',
			default: '',
			placeholder: 'e.g. /srv/backups/n8n',
			required: true,
			description:
				'An existing folder that the user can write to. It is never created, so that a disk that is not mounted is noticed.',
			displayOptions: { show: { type: ['sftp'] } },
		},
		{
			displayName: 'Host Key',
			name: 'sftpHostKey',
			type: 'string',
			default: '',
			placeholder: 'e.g. SHA256:…',
			description:
				'Fingerprint of the server, as <code>ssh-keygen -l</code> shows it there. Without it no connection is made; the test of this credential shows what the server has, so that you can compare it. A server with another key is refused.',
			displayOptions: { show: { type: ['sftp'] } },
		},
		{
			displayName: 'Password',
			name: 'sftpPassword',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			description: 'Of the user, or nothing where a private key is used',
			displayOptions: { show: { type: ['sftp'] } },
		},
		{
			displayName: 'Private Key',
			name: 'sftpPrivateKey',
			type: 'string',
			typeOptions: { password: true, rows: 4 },
			default: '',
			placeholder: 'e.g. -----BEGIN OPENSSH PRIVATE KEY-----',
			displayOptions: { show: { type: ['sftp'] } },
		},
		{
			displayName: 'Passphrase of the Private Key',
			name: 'sftpPassphrase',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			displayOptions: { show: { type: ['sftp'] } },
		},
		{
			displayName: 'Signing Key',
			name: 'signingKey',
			type: 'string',
			typeOptions: { password: true, rows: 4 },
			default: '',
			placeholder: 'e.g. -----BEGIN OPENSSH PRIVATE KEY-----',
			description:
				'Signs every backup and every verification stored here. The template new-key.json makes one, and so does <code>ssh-keygen -t ed25519 -N "" -f signing-key</code>. Without it, whoever can write to this storage can forge a backup, which a restore would run.',
		},
		{
			displayName: 'Trusted Signers',
			name: 'trustedSigners',
			type: 'string',
			typeOptions: { rows: 2 },
			default: '',
			placeholder: 'e.g. ssh-ed25519 AAAA…',
			description:
				'Public keys, one per line, or lines of an allowed_signers file. Then whatever none of them has signed is refused: it is never the newest backup, is not restored, verified or copied, and nothing is removed in its favour. Backups made before you had a signing key are not signed.',
		},
	];
}
