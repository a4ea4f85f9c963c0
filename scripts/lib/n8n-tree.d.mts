/** Where n8n is, or will be, installed. */
export function n8nFolder(): string;
/** Installs n8n unless it is there. @returns the program to run with Node */
export function installN8n(): Promise<string>;
