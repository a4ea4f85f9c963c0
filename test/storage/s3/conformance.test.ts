/** S3Storage against the contract: over http in the shared server, and over TLS with an authority of its own. */
import { sharedS3, startS3, type S3Server } from '../../support/s3';
import { rounds } from '../../support/soak';
import { describeStorage } from '../conformance';
import { MIB, s3Subject } from './subject';

const differences = {
	largeRaces: { reason: 'the server ignores If-None-Match when it joins the parts of an upload' },
	borders: [1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB - 1, 10 * MIB, 10 * MIB + 1, 26 * MIB],
	large: 12 * MIB,
};

/** That lists have pages does not depend on the transport. */
const listed = rounds(100, 2_500);

describe('over http', () => {
	const server = sharedS3();
	describeStorage('s3 with a prefix', () => s3Subject(server(), { prefix: 'backups/n8n' }), differences);
});

describe('over TLS', () => {
	let server: S3Server;
	beforeAll(async () => {
		server = await startS3({ tls: true });
	}, 120_000);
	afterAll(() => server?.stop());
	describeStorage('s3 without a prefix', () => s3Subject(server), { ...differences, listed });
});
