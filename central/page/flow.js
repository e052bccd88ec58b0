// flow - how much of a node waits, how fast it goes and how long that will take, as the centre says it, and how much of this
// backlog is done already, which only who looked on can know.

export class Flow {
	#peak = {pull: 0, push: 0};

	// node: as /v1/nodes gives it. Returns {pull, push}, each {waiting, part, rate, left, oldest}: rate a second, times in
	// seconds; null = not known, or nothing waits.
	take(node) {
		return {pull: this.#one("pull", node), push: this.#one("push", node)};
	}

	#one(way, {backlog, rates}) {
		const waiting = backlog?.[way] ?? null;
		this.#peak[way] = waiting ? Math.max(this.#peak[way], waiting) : 0; // the next backlog is another one
		if (!waiting)
			return {waiting, part: null, rate: null, left: null, oldest: null};
		return {waiting, part: 1 - waiting / this.#peak[way], rate: rates?.[`${way}_s`] ?? null, left: backlog[`${way}_left_s`] ?? null,
			oldest: backlog[`${way}_oldest_s`] ?? null};
	}
}
