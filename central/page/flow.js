// flow - how much of a node waits, how fast it goes and how long that will take. The centre's own figures where it gives
// them, else what this page has seen since it was opened. Pure but for what it remembers.

const SMOOTH = 0.3; // weight of the newest rate

export class Flow {
	#last = null;
	#seen = {pull: {peak: 0, rate: null}, push: {peak: 0, rate: null}};

	// node: as /v1/nodes gives it; at: ms. Returns {pull, push}, each {waiting, part, rate, left}: waiting null = not known,
	// part = how much of this backlog is done, rate a second, left in seconds; null = not known.
	take(node, at) {
		const now = {at, pull: node.pulled, push: node.pushed};
		const result = {pull: this.#one("pull", node, now), push: this.#one("push", node, now)};
		if (!this.#last || at - this.#last.at >= 500)
			this.#last = now;
		return result;
	}

	#one(way, node, now) {
		const seen = this.#seen[way], waiting = node.backlog?.[way] ?? null;
		const seconds = this.#last ? (now.at - this.#last.at) / 1000 : 0;
		if (seconds >= 0.5 && now[way] >= this.#last[way]) {
			const rate = (now[way] - this.#last[way]) / seconds;
			seen.rate = seen.rate == null ? rate : SMOOTH * rate + (1 - SMOOTH) * seen.rate;
		}
		if (!waiting)
			seen.peak = 0; // the next backlog is another one
		else
			seen.peak = Math.max(seen.peak, waiting);
		const told = node.rates?.[`${way}_s`] ?? node.backlog?.[`${way}_rate_s`];
		const rate = told ?? seen.rate;
		const left = node.backlog?.[`${way}_left_s`] ?? (waiting && rate > 0 ? waiting / rate : null);
		return {waiting, part: waiting ? 1 - waiting / seen.peak : null, rate: waiting ? rate : null, left: waiting ? left : null};
	}
}
