// noderow - a node's row in the table: made once, updated in place, its ages counted on between answers.
import {unwellOf} from "./attention.js";
import {el, setAttribute, setText} from "./dom.js";
import {icon, pollBar, pollKind, progress, setIcon} from "./draw.js";
import {Flow} from "./flow.js";
import {centreNow} from "./clock.js";
import {age, duration, micro, number, percent, rate, reasonOf, stateName, t, unwellWords} from "./words.js";

export const columns = ["node", "state", "polls", "pull", "push", "clock", "proof"];

function cell(name, ...children) {
	return el("td", {class: `cell-${name}`, "data-label": t(`column.${name}`)}, ...children);
}

function flowCell(name) {
	const count = el("span", {class: "count"}), how = el("span", {class: "how"}), bar = progress();
	const node = cell(name, count, bar.node, how);
	return {
		node,
		set(flow, unknown) {
			setText(count, flow.waiting == null ? t("unknown.short") : number(flow.waiting));
			setAttribute(node, "class", `cell-${name} ${flow.waiting == null ? "is-unknown" : flow.waiting ? "is-waiting" : "is-zero"}`);
			setAttribute(node, "title", flow.waiting == null ? unknown : null);
			setAttribute(bar.node, "hidden", !flow.waiting);
			bar.set(flow.part ?? 0);
			setText(how, flow.waiting ? flowWords({...flow, part: 0}) : ""); // the bar shows the part
		},
	};
}

export function flowWords({part, rate: perSecond, left}) {
	const words = part > 0 ? [percent(part)] : [];
	if (perSecond > 0)
		words.push(rate(perSecond));
	if (left != null)
		words.push(t("left", {time: duration(left)}));
	return words.join(" · ");
}

export function pollsLabel(history) {
	const failed = history.filter((p) => pollKind(p) === "failed").length;
	const last = history.at(-1);
	return last ? t("polls.label", {n: history.length, failed, last: t(`result.${last.result}`)}) : t("polls.none");
}

export class NodeRow {
	#flow = new Flow();
	#name = el("a", {class: "node-name"});
	#title = el("span", {class: "node-title"});
	#icon = icon("in_sync");
	#state = el("span", {class: "state-word"});
	#since = el("span", {class: "state-since"});
	#ails = el("span", {});
	#unwell = el("span", {class: "mark", hidden: true}, icon("warn"), this.#ails);
	#reason = el("span", {class: "reason why"});
	#next = el("span", {class: "next"});
	#polls = pollBar();
	#pull = flowCell("pull");
	#push = flowCell("push");
	#offset = el("span", {class: "offset"});
	#error = el("span", {class: "how"});
	#skewed = icon("warn");
	#proof = el("span", {class: "proof"});
	#clock;
	#node = null; // as it is shown
	#latest = null;
	#inSight = true;
	#provenAt = null;

	constructor(name) {
		this.#clock = cell("clock", this.#skewed, this.#offset, " ", this.#error);
		setText(this.#name, name);
		setAttribute(this.#name, "href", `#/node/${encodeURIComponent(name)}`);
		this.row = el("tr", {},
			el("th", {scope: "row", class: "cell-node"}, this.#name, this.#title),
			cell("state", el("span", {class: "state"}, this.#icon, this.#state, this.#since, this.#next), this.#reason, this.#unwell),
			cell("polls", this.#polls.node), this.#pull.node, this.#push.node, this.#clock, cell("proof", this.#proof));
	}

	// Of a thousand rows some fifteen are in sight; those out of sight are brought up to date when their state changes, and
	// when they come into sight.
	see(inSight) {
		this.#inSight = inSight;
		if (inSight && this.#latest !== this.#node)
			this.#show(this.#latest);
		else
			this.tick();
	}

	update(node) {
		this.#latest = node;
		if (this.#inSight || this.#node?.state !== node.state)
			this.#show(node);
	}

	#show(node) {
		this.#node = node;
		this.#provenAt = node.proof?.age_s == null ? null : performance.now() - node.proof.age_s * 1000;
		const reason = reasonOf(node), history = node.polls?.history ?? [];
		setText(this.#title, node.title ?? "");
		setAttribute(this.#title, "title", node.title || null);
		setAttribute(this.row, "class", `row is-${node.state}`);
		setIcon(this.#icon, node.state);
		setText(this.#state, stateName(node.state));
		const unwell = unwellOf(node).map(unwellWords);
		setAttribute(this.#unwell, "hidden", unwell.length === 0);
		setAttribute(this.#unwell, "class", `mark is-${unwellOf(node)[0]?.level}`);
		setText(this.#ails, unwell.map((u) => u.head).join(" "));
		setAttribute(this.#unwell, "title", unwell.map((u) => u.literal ?? u.text).join("\n"));
		setText(this.#reason, node.state === "in_sync" ? "" : reason.text);
		setAttribute(this.#reason, "title", node.reason);
		setAttribute(this.#reason, "lang", reason.literal === null ? "en" : null);
		this.#polls.set(history, pollsLabel(history));
		const flow = this.#flow.take(node);
		this.#pull.set(flow.pull, t("unknown.pull"));
		this.#push.set(flow.push, t("unknown.push"));
		this.#setClock(node.clock);
		this.#count();
	}

	#setClock(clock) {
		const known = clock?.offset_us != null;
		setText(this.#offset, known ? micro(clock.offset_us) : t("unknown.short"));
		setText(this.#error, known && clock.error_us != null ? `± ${micro(clock.error_us, false)}` : "");
		const off = clock?.skewed || clock?.disagrees;
		setAttribute(this.#skewed, "hidden", !off);
		setAttribute(this.#clock, "class", `cell-clock${off ? " is-skewed" : known ? "" : " is-unknown"}`);
		setAttribute(this.#clock, "title", clock?.reason ?? null);
	}

	// Every second: what counts on by itself.
	tick() {
		if (this.#inSight)
			this.#count();
	}

	#count() {
		const node = this.#node;
		const since = (centreNow() - Date.parse(node.since)) / 1000;
		setText(this.#since, duration(since));
		setAttribute(this.#since, "title", node.since);
		setText(this.#next, node.state === "in_sync" ? "" : nextWords(node, "next.short"));
		setText(this.#proof, proofWords(node.proof, this.#provenAt));
		const proven = node.proof?.equal === false ? "is-unequal" : node.state === "in_sync" ? "is-equal" : "is-unknown";
		setAttribute(this.#proof, "class", `proof ${proven}`);
	}
}

export function nextWords(node, key = "next.in") {
	if (node.next_attempt_at == null)
		return "";
	const seconds = (Date.parse(node.next_attempt_at) - centreNow()) / 1000;
	return seconds < 0.5 ? t("next.now") : t(key, {time: duration(Math.ceil(seconds))});
}

export function proofWords(proof, provenAt) {
	if (proof?.equal == null)
		return t("proof.none");
	const old = age((performance.now() - provenAt) / 1000);
	return t(proof.equal ? "proof.equal" : "proof.unequal", {age: old});
}
