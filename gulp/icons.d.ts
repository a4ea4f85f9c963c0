/** What is wrong with the text of an SVG icon; empty when nothing is. */
export function checkIcon(svg: string): string[];
/** The icon files that a node or credential names, next to its compiled class. */
export function iconFiles(registered: { file: string; type: { name: string; icon?: unknown } }): {
	files: string[];
	problems: string[];
};
