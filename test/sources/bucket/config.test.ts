/** Whether backups of a bucket would lie in it. */
import { assertBucketApart } from '../../../core/sources/bucket/config';

const at = (endpoint: string, prefix?: string) => ({
	...{ type: 's3' as const, endpoint, bucket: 'photos', accessKey: 'a', secretKey: 'b' },
	prefix,
});
const SERVER = 'https://minio.example.org:9000';

describe('a storage that lies in what is backed up is refused', () => {
	it.each([
		['the same bucket', at(SERVER), at(SERVER)],
		['a prefix of it', at(SERVER), at(SERVER, 'backups')],
		['a prefix below the prefix', at(SERVER, 'all/'), at(SERVER, '/all/backups')],
		['another scheme', at(SERVER), at(SERVER.replace('https', 'http'))],
		['with its port', at('https://minio.example.org'), at('https://minio.example.org:443')],
		['only the group lies there', at(SERVER, 'backups/bucket'), at(SERVER, 'backups')],
		['the whole group is the prefix', at(SERVER, 'bucket/photos'), at(SERVER)],
	])('%s', (_which, source, storage) => {
		expect(() => assertBucketApart(source, storage, 'bucket/photos')).toThrow('which is backed up');
	});
});

it.each([
	['another bucket', at(SERVER), { ...at(SERVER), bucket: 'backups' }],
	['another server', at(SERVER), at('https://minio.example.org:9001')],
	['a prefix beside it', at(SERVER, 'photos'), at(SERVER, 'backups')],
	['a prefix that begins alike', at(SERVER, 'bucket/photo'), at(SERVER)],
	['the root, with a group beside the prefix', at(SERVER, 'photos'), at(SERVER)],
])('%s is apart', (_which, source, storage) => {
	expect(() => assertBucketApart(source, storage, 'bucket/photos')).not.toThrow();
});
