/** Lets jest compare bytes as Node does: by itself it looks at each byte as a property, which takes a second for a few hundred kB. */
/* global expect -- jest gives it to every test file. */
expect.addEqualityTesters([
	(one, other) =>
		one instanceof Uint8Array && other instanceof Uint8Array ? Buffer.compare(one, other) === 0 : undefined,
]);
