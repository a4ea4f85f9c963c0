/** The SQLSTATE of an error (PostgreSQL manual, appendix A), however it came to us. */

/** Five letters and digits; the names of the system's own errors have no digit. Null for errors of anything but a statement. */
export function sqlStateOf(error: unknown): string | null {
	const code = (error as { code?: unknown } | null)?.code;
	return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : null;
}
