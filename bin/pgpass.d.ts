/** The password file lookup that pg itself uses; it ships no types. */
declare module 'pgpass' {
	function pgPass(
		connection: { host: string; port: number; database: string; user: string },
		done: (password: string | undefined) => void,
	): void;
	export = pgPass;
}
