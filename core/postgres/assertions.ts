/** Questions of the user to a restored database, in SQL, that a good backup answers with yes. */

export interface Assertion {
	/** For people; never stored in the clear. */
	name: string;
	/** One statement. See {@link runAssertions} for which answers pass. */
	sql: string;
}

export interface AssertionResult {
	name: string;
	ok: boolean;
	/** Why it failed; null when it passed. */
	message: string | null;
}
