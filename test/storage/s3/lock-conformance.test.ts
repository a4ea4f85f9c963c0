/** S3Storage against the contract in buckets with Object Lock: they keep versions, and nothing may be left of these either. */
import { RetryingStorage } from '../../../core/storage/retrying';
import { sharedS3 } from '../../support/s3';
import { rounds } from '../../support/soak';
import { describeStorage } from '../conformance';
import { MIB, s3LockSubject } from './subject';

const server = sharedS3();

describeStorage(
	's3 with object lock',
	async () => {
		const { storage, ...rest } = await s3LockSubject(server(), { prefix: 'backups/n8n' });
		return { storage: new RetryingStorage(storage), ...rest };
	},
	{
		borders: [1, 5 * MIB, 5 * MIB + 1],
		large: 12 * MIB,
		protects: true,
		// That lists have pages does not depend on locks.
		listed: rounds(100, 2_500),
	},
);
