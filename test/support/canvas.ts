/** Where a template's nodes and notes stand on n8n's canvas. */
import type { Box } from './browser';

/** Width of a node on the canvas, in its own pixels, as test/e2e/editor.test.ts measures it; its height with one or two outputs. */
export const NODE_SIZE = 96;

/** What a template says of a node or of a note, which has a size of its own. */
export interface Placed {
	type: string;
	position: [number, number];
	parameters: { width?: unknown; height?: unknown };
}

/** The places of nodes and of notes, as a template says. */
export function placesOf(template: { nodes: readonly Placed[] }): { nodes: Box[]; notes: Box[] } {
	const isNote = ({ type }: Placed) => type === 'n8n-nodes-base.stickyNote';
	const place = ({ position: [x, y] }: Placed, width: unknown, height: unknown): Box => {
		return { x, y, width: Number(width), height: Number(height) };
	};
	return {
		nodes: template.nodes.filter((node) => !isNote(node)).map((node) => place(node, NODE_SIZE, NODE_SIZE)),
		notes: template.nodes.filter(isNote).map((note) => place(note, note.parameters.width, note.parameters.height)),
	};
}

/** Those of which one lies on top of the other. */
export function overlapping(boxes: readonly Box[]): [Box, Box][] {
	const apart = (a: number, length: number, b: number, other: number) => a + length <= b || b + other <= a;
	return boxes.flatMap((one, n) =>
		boxes
			.slice(n + 1)
			.filter(
				(other) => !apart(one.x, one.width, other.x, other.width) && !apart(one.y, one.height, other.y, other.height),
			)
			.map((other): [Box, Box] => [one, other]),
	);
}
