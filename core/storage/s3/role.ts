/**
 * The keys of the role that this machine has on AWS: temporary ones, which are renewed. From where the AWS SDKs take them ("Standardized
 * credential providers", AWS SDKs and Tools Reference Guide), in their order: web identity (EKS), the container's (ECS, EKS Pod Identity),
 * the instance's (EC2, IMDSv2). `minio` has such a provider, which reads a field that these services do not send, and waits for ever.
 */
import fs from 'node:fs/promises';
import { z } from 'zod';
import { untilAborted } from '../../base/deadline';
import { BackupError, messageOf } from '../../base/errors';
import { plain, word } from './text';

/** Keys that end by themselves. */
export interface RoleKeys {
	accessKey: string;
	secretKey: string;
	sessionToken?: string;
}

interface Issued extends RoleKeys {
	/** Milliseconds since 1970. */
	expiresAt: number;
}

/** These services answer within milliseconds, or are not there. */
const PATIENCE_MS = 5_000;
/** New keys are there five minutes before the old ones end (EC2 User Guide, "Retrieve security credentials"). */
const RENEW_BEFORE_MS = 4 * 60_000;
/** Answers have about two kilobytes. */
const MAX_ANSWER = 64 * 1024;

const answered = z.object({
	AccessKeyId: z.string().min(1),
	SecretAccessKey: z.string().min(1),
	Token: z.string().optional(),
	Expiration: z.string().datetime({ offset: true }),
});

export class MachineRole {
	#issued: Promise<Issued> | undefined;

	/**
	 * @param env AWS_…, by which the machine says which of the services it has
	 * @param patienceMs for one answer, milliseconds
	 */
	constructor(
		private readonly env: NodeJS.ProcessEnv = process.env,
		private readonly patienceMs = PATIENCE_MS,
	) {}

	/** @throws BackupError 'wrong-credentials' where there is no role, or it gives no keys */
	async keys(signal?: AbortSignal): Promise<RoleKeys> {
		return await untilAborted(async () => await this.#current(), signal);
	}

	/** Those who ask at the same time share the answer. */
	async #current(): Promise<RoleKeys> {
		const known = this.#issued;
		const old = await known?.catch(() => undefined);
		if (old !== undefined && Date.now() < old.expiresAt - RENEW_BEFORE_MS) return old;
		if (this.#issued === known) this.#issued = this.#renewed(old);
		return await this.#issued!;
	}

	async #renewed(old: Issued | undefined): Promise<Issued> {
		try {
			return await this.#ask();
		} catch (error) {
			// There is some time left to try again.
			if (old === undefined || Date.now() >= old.expiresAt) throw error;
			return old;
		}
	}

	async #ask(): Promise<Issued> {
		const { env } = this;
		if (env.AWS_WEB_IDENTITY_TOKEN_FILE) return await this.#fromWebIdentity(env.AWS_WEB_IDENTITY_TOKEN_FILE);
		const container = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
			? `http://169.254.170.2${env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI}`
			: env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
		if (!container) return await this.#fromInstance();
		const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
		const token = file ? await readToken(file) : env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
		return parse(await this.#request(container, { headers: token ? { authorization: token } : {} }));
	}

	async #fromInstance(): Promise<Issued> {
		const base = this.env.AWS_EC2_METADATA_SERVICE_ENDPOINT || 'http://169.254.169.254';
		const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '300' };
		const token = await this.#request(new URL('/latest/api/token', base).href, { method: 'PUT', headers: ttl });
		const headers = { 'x-aws-ec2-metadata-token': token };
		const roles = new URL('/latest/meta-data/iam/security-credentials/', base).href;
		const [role = ''] = (await this.#request(roles, { headers })).split('\n');
		return parse(await this.#request(`${roles}${encodeURIComponent(role.trim())}`, { headers }));
	}

	async #fromWebIdentity(file: string): Promise<Issued> {
		const {
			AWS_ROLE_ARN: role,
			AWS_ROLE_SESSION_NAME: session,
			AWS_REGION: region,
			AWS_ENDPOINT_URL_STS: sts,
		} = this.env;
		if (!role) throw noKeys('AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not');
		const body = new URLSearchParams({
			Action: 'AssumeRoleWithWebIdentity',
			Version: '2011-06-15',
			RoleArn: role,
			RoleSessionName: session || 'n8n-nodes-backup',
			WebIdentityToken: await readToken(file),
		});
		const endpoint = sts || (region ? `https://sts.${region}.amazonaws.com` : 'https://sts.amazonaws.com');
		const text = await this.#request(endpoint, { method: 'POST', body });
		const of = (name: string) => plain(word(text, name) ?? '');
		return issued({
			AccessKeyId: of('AccessKeyId'),
			SecretAccessKey: of('SecretAccessKey'),
			Token: of('SessionToken'),
			Expiration: of('Expiration'),
		});
	}

	async #request(url: string, init: RequestInit): Promise<string> {
		let response: Response;
		let text: string;
		try {
			response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(this.patienceMs) });
			text = await limited(response);
		} catch (error) {
			throw noKeys(`nothing answers at ${placeOf(url)}`, error);
		}
		if (response.ok) return text;
		// What STS refuses has a code; the text of others could hold anything.
		const code = word(text, 'Code') ?? '';
		throw noKeys(`${placeOf(url)} answers ${response.status}${/^\w+$/.test(code) ? ` ${code}` : ''}`);
	}
}

async function limited(response: Response): Promise<string> {
	const chunks: Uint8Array[] = [];
	let size = 0;
	for await (const chunk of response.body ?? []) {
		const bytes = chunk as Uint8Array;
		size += bytes.length;
		if (size > MAX_ANSWER) throw new Error('the answer is too long');
		chunks.push(bytes);
	}
	return Buffer.concat(chunks).toString();
}

function parse(text: string): Issued {
	let data: unknown;
	try {
		data = JSON.parse(text);
	} catch {
		// Its message would quote the text, and so the keys.
		data = null;
	}
	return issued(data);
}

function issued(data: unknown): Issued {
	const { data: keys } = answered.safeParse(data);
	if (!keys) throw noKeys('the answer holds no keys');
	return {
		accessKey: keys.AccessKeyId,
		secretKey: keys.SecretAccessKey,
		sessionToken: keys.Token || undefined,
		expiresAt: Date.parse(keys.Expiration),
	};
}

async function readToken(file: string): Promise<string> {
	try {
		return (await fs.readFile(file, 'utf8')).trim();
	} catch (error) {
		throw noKeys(`cannot read the token of the role: ${messageOf(error)}`);
	}
}

/** Without path and query, which may hold a token. */
function placeOf(url: string): string {
	return URL.canParse(url) ? new URL(url).host : 'an invalid address';
}

function noKeys(why: string, cause?: unknown): BackupError {
	return new BackupError('wrong-credentials', `this machine’s role gives no keys: ${why}`, {
		hint: 'Roles are there on EC2, ECS and EKS only, once one is attached that may use the bucket. In a container on EC2, the hop limit of the metadata has to be 2. Elsewhere, enter keys.',
		cause,
	});
}
