/** What takes the most space, as a preview tells it. */
import { Largest } from '../../../core/sources/files/archive/largest';

it('keeps the largest files and the folders with the most right in them, however many there are', () => {
	const largest = new Largest();
	// In the order of an archive: the files of a folder, then its folders.
	for (let folder = 1; folder <= 50; folder++) {
		for (let file = 1; file <= 3; file++)
			largest.add(`srv/${String(folder).padStart(2, '0')}/${file}`, folder * 10 + file);
		largest.add(`srv/${String(folder).padStart(2, '0')}/empty`, 0);
	}
	const { files, folders } = largest.end();
	expect(files).toHaveLength(20);
	expect(files.slice(0, 4)).toEqual([
		{ path: '/srv/50/3', bytes: 503 },
		{ path: '/srv/50/2', bytes: 502 },
		{ path: '/srv/50/1', bytes: 501 },
		{ path: '/srv/49/3', bytes: 493 },
	]);
	expect(folders).toHaveLength(20);
	expect(folders.map(({ bytes }) => bytes)).toEqual(Array.from({ length: 20 }, (_, at) => (50 - at) * 30 + 6));
});

it('shows names that are no text, and files at the root of all', () => {
	const largest = new Largest();
	largest.add('file', 1);
	largest.add('\xff\n', 2);
	expect(largest.end()).toEqual({
		files: [
			{ path: '/\ufffd\\x0a', bytes: 2 },
			{ path: '/file', bytes: 1 },
		],
		folders: [{ path: '/', bytes: 3 }],
	});
});
