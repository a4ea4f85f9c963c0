/** Listings as different servers write them: none of them but one can be started here. */
import { type AskedBucket, pageOfObjects, pageOfVersions, unfinishedUploads } from '../../../core/storage/s3/listing';

const ETAG = '5d41402abc4b2a76b9719d911017c592';
const MODIFIED = '2026-01-02T03:04:05.678Z';
const NAME = 'photos/ä & b+c.jpg';
const INSTEAD = { '&': '&amp;', '<': '&lt;' };
const inXml = (text: string) => text.replace(/[&<]/g, (mark) => INSTEAD[mark as keyof typeof INSTEAD]);

/** One answer to every question. */
const answering = (answer: string): AskedBucket => ({
	bucket: 'photos',
	ask: async () => await Promise.resolve(answer),
});
const itemsOf = async (answer: string, prefix = '') => (await pageOfObjects(answering(answer), prefix)).items;
const result = (contents: string, more = '') =>
	`<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>photos</Name><IsTruncated>false</IsTruncated>${more}${contents}</ListBucketResult>`;
const URL_ENCODED = '<EncodingType>url</EncodingType>';

it.each([
	[
		'Amazon S3, R2',
		result(
			`<Contents><Key>${encodeURIComponent(NAME)}</Key><LastModified>${MODIFIED}</LastModified><ETag>&quot;${ETAG}&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>`,
			URL_ENCODED,
		),
	],
	[
		'MinIO, and others whose encoder is that of Go',
		result(
			`<Contents><Key>${encodeURIComponent(NAME).replaceAll('%20', '+')}</Key><LastModified>${MODIFIED}</LastModified><ETag>&#34;${ETAG}&#34;</ETag><Size>5</Size><Owner><ID>02d6</ID><DisplayName>minio</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>`,
			URL_ENCODED,
		),
	],
	[
		'Google Cloud Storage',
		result(
			`<Contents><Key>${inXml(NAME)}</Key><Generation>1767323045678000</Generation><MetaGeneration>1</MetaGeneration><LastModified>${MODIFIED}</LastModified><ETag>"${ETAG}"</ETag><Size>5</Size></Contents>`,
		),
	],
	[
		'a server that writes marks by their numbers and puts blanks around what has none',
		result(
			`<Contents><Key>${encodeURIComponent(NAME)}</Key><LastModified> ${MODIFIED} </LastModified><ETag> &#x22;${ETAG}&#x22; </ETag><Size> 5 </Size></Contents>`,
			'<EncodingType> url </EncodingType>',
		),
	],
])('reads what an object is from a listing of %s', async (_server, answer) => {
	expect(await itemsOf(answer)).toEqual([{ name: NAME, etag: ETAG, size: 5, modifiedAt: new Date(MODIFIED) }]);
});

it.each([
	['without a name', '<Key></Key><Size>1</Size>'],
	['with an empty element', ''],
	['of a name beside the prefix', '<Key>other/secret</Key><Size>1</Size>'],
	['with a size that is negative', '<Key>photos/a</Key><Size>-5e9</Size>'],
	['with a size that is no number', '<Key>photos/a</Key><Size>much</Size>'],
])('refuses a listing with an object %s', async (_what, contents) => {
	await expect(itemsOf(result(`<Contents>${contents}</Contents>`), 'photos/')).rejects.toMatchObject({
		code: 'unsupported',
		message: 'the server of s3://photos does not answer with a listing as S3 gives it',
	});
	const versions = result(`<Version>${contents}</Version>`).replaceAll('ListBucketResult', 'ListVersionsResult');
	await expect(pageOfVersions(answering(versions), 'photos/')).rejects.toMatchObject({ code: 'unsupported' });
});

it('refuses unfinished uploads beside the prefix: who asks removes them', async () => {
	const upload = '<Upload><Key>other/secret</Key><UploadId>1</UploadId></Upload>';
	const answer = `<ListMultipartUploadsResult>${upload}</ListMultipartUploadsResult>`;
	await expect(unfinishedUploads(answering(answer), 'photos/').next()).rejects.toMatchObject({ code: 'unsupported' });
});

it('reads a name that is no text, and those beside it', async () => {
	const keys = ['a%FFb', '100%', '%C3%BC'].map((key) => `<Contents><Key>${key}</Key></Contents>`);
	expect((await itemsOf(result(keys.join(''), URL_ENCODED))).map(({ name }) => name)).toEqual([
		'a\ufffdb',
		'100%',
		'ü',
	]);
});
