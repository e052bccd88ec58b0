// histories - the last polls of each node. All of them are asked for once; then only the newest, put behind those known.
import {get} from "./live.js";

const MOST = 60, FEW = 8;

// What is known and the newest `fresh` of it (asked: how many, at most) in one; null: some between are missing.
export function joined(known, fresh, asked) {
	if (fresh.length < asked)
		return fresh; // these are all there are
	const at = known?.findIndex((p) => p.at === fresh[0].at) ?? -1;
	return at < 0 ? null : [...known.slice(0, at), ...fresh].slice(-MOST);
}

export class Histories {
	#known = new Map(); // name → polls

	// A page of /v1/nodes by its URL, each node with its whole history.
	async get(url) {
		const all = this.#known.size ? await get(`${url}&history=${FEW}`) : null;
		return (all && this.#take(all, FEW)) ?? this.#take(await get(url), MOST);
	}

	#take(page, asked) {
		const found = new Map(page.nodes.map((n) => [n.name, asked < MOST ? joined(this.#known.get(n.name), n.polls.history, asked) : n.polls.history]));
		if ([...found.values()].includes(null))
			return null;
		this.#known = found;
		for (const n of page.nodes)
			n.polls.history = found.get(n.name);
		return page;
	}
}
