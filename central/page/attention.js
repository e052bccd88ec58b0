// attention - what somebody has to look at, worst first, from the answers of the centre. Pure.

// An operator has to decide; it does not answer; somebody stopped it; it goes on by itself.
const ranks = {
	identity_conflict: 0, diverged: 0, incompatible: 0,
	offline: 1, never_seen: 1,
	paused: 2,
	reconciling: 3, catching_up: 3,
	in_sync: 4,
};

export const states = ["in_sync", "catching_up", "reconciling", "offline", "paused", "never_seen", "diverged", "identity_conflict", "incompatible"];

export function worstState(counts) {
	return states.filter((s) => counts[s] > 0).reduce((a, b) => (ranks[b] < ranks[a] ? b : a), "in_sync");
}

export function needsYou(state) {
	return (ranks[state] ?? 0) < 3;
}

// What is wrong with a node though it may be in step, or with the centre, and needs somebody: [{kind, level, since, text}], the
// worst first. What nothing depends on (info) is told at the node alone.
export function unwellOf(one) {
	return (one?.unwell ?? []).filter((u) => u.level !== "info");
}

// What the panel shows: [{key, rank, state, node?, kind, count}] — at most `room` of single things, what is left over is
// told in short: nodes by state, and what else there is. nodes: the worst ones, in order; counts: status.nodes.
export function attentionOf(status, nodes, room) {
	const items = [];
	if (status?.store?.ok === false)
		items.push({key: "store", rank: 0, kind: "store"});
	const troubled = nodes.filter((n) => (ranks[n.state] ?? 0) < 4);
	for (const node of troubled)
		items.push({key: `node ${node.name}`, rank: ranks[node.state] ?? 0, kind: "node", node});
	for (const node of nodes)
		for (const u of unwellOf(node))
			items.push({key: `${u.kind} ${node.name}`, rank: u.level === "error" ? 0.5 : 2, kind: "unwell", node, unwell: u});
	for (const u of unwellOf(status))
		items.push({key: `centre ${u.kind}`, rank: u.level === "error" ? 0 : 1.5, kind: "centre", unwell: u});
	if (status?.conflicts > 0)
		items.push({key: "conflicts", rank: 2.5, kind: "conflicts", n: status.conflicts});
	if (status?.quarantined > 0)
		items.push({key: "quarantine", rank: 2.5, kind: "quarantine", n: status.quarantined});
	items.sort((a, b) => a.rank - b.rank); // stable: nodes keep the order of the centre
	const shown = items.slice(0, room);
	const named = new Set(shown.filter((i) => i.kind === "unwell").map((i) => i.node.name));
	const others = items.slice(room).filter((i) => i.kind !== "node" && i.kind !== "unwell");
	return {shown, more: {states: leftOver(status, shown), unwell: Math.max(0, (status?.nodes_unwell ?? 0) - named.size), others}};
}

// By state, how many nodes that are not in step have no sentence of their own.
function leftOver(status, shown) {
	const left = [];
	for (const state of states.filter((s) => s !== "in_sync")) {
		const n = (status?.nodes?.[state] ?? 0) - shown.filter((i) => i.kind === "node" && i.node.state === state).length;
		if (n > 0)
			left.push({state, n, rank: ranks[state]});
	}
	return left.sort((a, b) => a.rank - b.rank);
}

// How many things wait for a person: nodes that do not go on by themselves, and what else is listed.
export function countNeeds(status, items) {
	const nodes = states.filter(needsYou).reduce((sum, s) => sum + (status?.nodes?.[s] ?? 0), 0);
	return nodes + (status?.nodes_unwell ?? 0) + items.filter((i) => !["node", "unwell"].includes(i.kind)).length;
}
