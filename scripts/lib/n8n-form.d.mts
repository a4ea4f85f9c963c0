export interface FormPage {
	title: string;
	/** All that a person reads on the page. */
	text: string;
	/** Addresses that the page links to, by the text of the link. */
	links: Record<string, string>;
	/** Labels of its fields, in order; none on the last page. */
	labels: string[];
	/** What a field of the page offers to choose from. */
	choices(label: string): string[];
	/** Fills in the fields that are named, leaves the others as they are, and submits. @returns the next page */
	submit(values: Record<string, string>): Promise<FormPage>;
}

/**
 * Opens a form that asks for a name and a password.
 * @param url "http://127.0.0.1:5678/form/restore"
 * @throws Error with n8n's answer
 */
export function openForm(url: string, login: { user: string; password: string }): Promise<FormPage>;
