/**
 * Where a run begins when somebody presses "Execute workflow" on the canvas and has chosen no trigger: the rule of n8n's
 * editor 2.40, `findTriggerNodeToAutoSelect` in its `executionUtils.ts`. The end-to-end tests compare it with the editor
 * that is installed.
 */

/** The highest comes first; of equals, the one that stands first in the workflow. */
const PRIORITIES = {
	'n8n-nodes-base.formTrigger': 10,
	'n8n-nodes-base.webhook': 9,
	'n8n-nodes-base.scheduleTrigger': 7,
	'n8n-nodes-base.manualTrigger': 6,
	'n8n-nodes-base.workflowTrigger': 5,
	'n8n-nodes-base.errorTrigger': 4,
};
/** Triggers of other services stand between webhooks and schedules, all others of n8n's own core nodes at the end. */
const OF_OTHERS = 8;
const OF_CORE = 0;

/** Triggers of chats are started from a chat, not with the button. */
const isTrigger = ({ type }) => /(Trigger|\.webhook)$/.test(type) && !/hatTrigger$/.test(type);

/**
 * @param {Array<{ name: string, type: string, disabled?: boolean }>} nodes of a workflow, in its order
 * @returns {{ name: string, type: string } | undefined} nothing where no active trigger is
 */
function preselectedTrigger(nodes) {
	const priority = ({ type }) => PRIORITIES[type] ?? (type.startsWith('n8n-nodes-base.') ? OF_CORE : OF_OTHERS);
	return nodes
		.filter((node) => isTrigger(node) && !node.disabled)
		.toSorted((one, other) => priority(other) - priority(one))[0];
}

module.exports = { PRIORITIES, preselectedTrigger };
