// main - everything at a glance: is all in step; if not who, since when, why, until when.
import {attentionOf, countNeeds, needsYou, states, worstState} from "./attention.js";
import {el, setAttribute, setChildren, setText} from "./dom.js";
import {icon, setIcon} from "./draw.js";
import {eventList} from "./eventlist.js";
import {Histories} from "./histories.js";
import {centreNow} from "./clock.js";
import {askStatus, get, live, on, repeat, wantMoves} from "./live.js";
import {columns, nextWords, NodeRow} from "./noderow.js";
import {duration, number, rate, reasonOf, sentence, stateName, t, unwellWords} from "./words.js";

const PAGE = 50, MOST = 1000; // rows
const SENTENCES = 3;
const EVENTS = 60;

function verdict(status) {
	const n = status.nodes, total = n.total;
	if (status.store?.ok === false)
		return ["error", t("verdict.store")];
	if (total === 0)
		return ["info", t("verdict.empty")];
	if (n.in_sync === total && status.nodes_unwell > 0)
		return ["warn", t("verdict.all", {n: total}) + t("verdict.unwell", {n: status.nodes_unwell})];
	if (n.in_sync === total)
		return ["in_sync", t("verdict.all", {n: total})];
	return [worstState(n), t("verdict.some", {n: n.in_sync, total})];
}

// --- sums ---

function sums() {
	const parts = ["records", "pull", "push", "left"].map((name) => {
		const value = el("dd", {}), how = el("span", {class: "how"});
		return {name, value, how, node: el("div", {class: `sum sum-${name}`}, el("dt", {}, t(`sum.${name}`)), value, how)};
	});
	const by = Object.fromEntries(parts.map((p) => [p.name, p]));
	return {
		node: el("dl", {class: "sums"}, ...parts.map((p) => p.node)),
		set(status) {
			const backlog = status.backlog ?? {}, rates = status.rates ?? {};
			setText(by.records.value, number(status.records));
			for (const way of ["pull", "push"]) {
				setText(by[way].value, number(backlog[way]));
				setText(by[way].how, rate(rates[`${way}_s`]));
				setAttribute(by[way].node, "title", backlog[way] == null ? t("unknown.sum") : null);
			}
			setText(by.left.value, leftOf(backlog));
			setText(by.left.how, backlog.oldest_s == null ? "" : t("oldest", {age: duration(backlog.oldest_s)}));
		},
	};
}

function leftOf(backlog) {
	const seconds = ["pull", "push"].map((w) => (backlog[w] === 0 ? 0 : backlog[`${w}_left_s`] ?? null));
	if (seconds.includes(null))
		return t("unknown.short");
	return backlog.pull + backlog.push === 0 ? t("left.none") : duration(Math.max(...seconds));
}

// --- tiles: how many in each state; they filter ---

function tiles(choose) {
	const all = new Map(["all", ...states, "unwell"].map((state) => {
		const count = el("span", {class: "tile-count"});
		const button = el("button", {type: "button", class: `tile is-${state}`, "data-state": state, onclick: () => choose(state === "all" ? "" : state)},
			state === "all" ? null : icon(state === "unwell" ? "warn" : state), count, el("span", {class: "tile-name"}, state === "all" ? t("tiles.all") : stateName(state)));
		return [state, {button, count}];
	}));
	const node = el("div", {class: "tiles", role: "group", "aria-label": t("tiles.label")});
	return {
		node,
		set(status, chosen) {
			const counts = {...status.nodes, all: status.nodes.total, unwell: status.nodes_unwell};
			for (const [state, tile] of all) {
				const n = counts[state] ?? 0;
				setText(tile.count, number(n));
				setAttribute(tile.button, "aria-pressed", String((chosen || "all") === state));
				tile.button.classList.toggle("is-none", n === 0);
			}
			const order = [...all.keys()].sort((a, b) => Number(all.get(a).button.classList.contains("is-none")) - Number(all.get(b).button.classList.contains("is-none")));
			if (!node.contains(document.activeElement) || !node.firstChild) // nothing moves under somebody's hand
				setChildren(node, order.map((s) => all.get(s).button));
		},
	};
}

// --- who needs somebody ---

function nodeItem(node) {
	return {
		shape: node.state,
		name: node.name,
		head: t("needs.since", {state: stateName(node.state), time: duration((centreNow() - Date.parse(node.since)) / 1000)}),
		...reasonOf(node),
		next: nextWords(node),
		help: node.unblock ? sentence(node.unblock) : needsYou(node.state) ? "" : t("needs.nothing"),
	};
}

function itemWords(item) {
	switch (item.kind) {
	case "node":
		return nodeItem(item.node);
	case "unwell":
		return {shape: item.unwell.level, name: item.node.name, ...unwellWords(item.unwell), next: "", help: item.node.state === "in_sync" && item.node.unblock ? sentence(item.node.unblock) : ""};
	case "centre":
		return {shape: item.unwell.level, name: null, ...unwellWords(item.unwell), head: t("needs.centre"), next: "", help: ""};
	case "store":
		return {shape: "error", name: null, head: t("needs.centre"), text: t("needs.store"), next: "", help: ""};
	default:
		return {shape: "warn", name: null, href: `#/${item.kind}`, head: t(`needs.${item.kind}`, {n: item.n}), text: t(`needs.${item.kind}.what`), next: "", help: ""};
	}
}

function needRow() {
	const shape = icon("warn"), name = el("a", {class: "node-name"}), head = el("strong", {}), text = el("span", {class: "need-text"});
	const literal = el("span", {class: "need-literal", lang: "en"}), next = el("span", {class: "next"}), help = el("span", {class: "need-help", lang: "en"});
	const row = el("li", {class: "need"}, shape, el("span", {class: "need-what"}, name, " ", head, " ", text, " ", literal, " ", next, " ", help));
	return {
		row,
		set(item) {
			const words = itemWords(item);
			setAttribute(row, "class", `need is-${words.shape}`);
			setIcon(shape, words.shape);
			const href = words.href ?? (words.name === null ? null : `#/node/${encodeURIComponent(words.name)}`);
			setText(name, words.name ?? (href ? words.head : ""));
			setAttribute(name, "hidden", href === null);
			setAttribute(name, "href", href);
			setText(head, words.href ? "" : words.head);
			setText(text, words.text);
			setAttribute(text, "lang", words.literal === null ? "en" : null);
			setText(literal, words.literal ? `(${words.literal})` : "");
			setText(next, sentence(words.next));
			setText(help, words.help);
			setAttribute(row, "title", words.help || null);
		},
	};
}

function needs(choose) {
	const head = el("h2", {id: "needs-head"}), list = el("ul", {class: "needs-list"}), more = el("p", {class: "needs-more"});
	const node = el("section", {class: "needs panel", "aria-labelledby": "needs-head"}, head, list, more);
	let rows = new Map(), items = [];
	return {
		node,
		set(status, nodes) {
			const {shown, more: left} = attentionOf(status, nodes, SENTENCES);
			items = shown;
			const n = countNeeds(status, shown);
			setText(head, n ? t("needs.head", {n}) : shown.length ? t("needs.moving") : t("needs.none"));
			node.classList.toggle("is-calm", n === 0 && shown.length === 0);
			rows = new Map(shown.map((item) => [item.key, rows.get(item.key) ?? needRow()]));
			setChildren(list, [...rows.values()].map((r) => r.row));
			setMore(more, left, choose);
			this.tick();
		},
		tick() {
			for (const item of items)
				rows.get(item.key).set(item);
		},
	};
}

// What has no sentence of its own, in a line.
function setMore(more, {states: left, unwell, others}, choose) {
	const key = JSON.stringify([left, unwell, others.map((i) => i.key)]);
	if (more.dataset.key === key)
		return;
	more.dataset.key = key;
	const buttons = left.map(({state, n}) => el("button", {type: "button", class: `link is-${state}`, onclick: () => choose(state)},
		icon(state), t("needs.more.state", {n, state: stateName(state)})));
	if (unwell > 0)
		buttons.push(el("button", {type: "button", class: "link is-warn", onclick: () => choose("unwell")}, icon("warn"), t("needs.more.unwell", {n: unwell})));
	const links = others.map((item) => {
		const {shape, head, href} = itemWords(item);
		return el("a", {class: `link is-${shape}`, href}, icon(shape), head);
	});
	more.replaceChildren(...(buttons.length + links.length ? [t("needs.more") + " ", ...buttons, ...links] : []));
}

// --- the table ---

function table() {
	const body = el("tbody", {});
	const node = el("table", {class: "nodes"}, el("caption", {class: "hidden"}, t("nodes.caption")),
		el("thead", {}, el("tr", {}, ...columns.map((c) => el("th", {scope: "col", class: `cell-${c}`, title: t(`column.${c}.what`)}, t(`column.${c}`))))), body);
	let rows = new Map();
	const byRow = new WeakMap();
	const sight = new IntersectionObserver((entries) => entries.forEach((e) => byRow.get(e.target)?.see(e.isIntersecting)), {rootMargin: "200px"});
	function newRow(name) {
		const row = new NodeRow(name);
		byRow.set(row.row, row);
		sight.observe(row.row);
		return row;
	}
	body.addEventListener("click", (e) => {
		const link = e.target.closest("a") ? null : e.target.closest("tr")?.querySelector("a");
		if (link && !String(getSelection()))
			location.hash = link.hash;
	});
	body.addEventListener("keydown", (e) => moveFocus(e, body));
	return {
		node,
		set(nodes) {
			const old = rows;
			rows = new Map(nodes.map((n) => [n.name, old.get(n.name) ?? newRow(n.name)]));
			for (const [name, row] of old)
				rows.has(name) || sight.unobserve(row.row);
			for (const n of nodes)
				rows.get(n.name).update(n);
			setChildren(body, [...rows.values()].map((r) => r.row));
		},
		tick() {
			for (const r of rows.values())
				r.tick();
		},
	};
}

function moveFocus(e, body) {
	const step = {ArrowDown: 1, ArrowUp: -1}[e.key];
	const links = step ? [...body.querySelectorAll("th a")] : [];
	const to = links[links.indexOf(document.activeElement) + step];
	if (to && links.includes(document.activeElement)) {
		e.preventDefault();
		to.focus();
	}
}

// --- the view ---

export function open(outlet, _, query, navigate) {
	let wanted = {state: query.get("state") ?? "", q: query.get("q") ?? ""};
	const polls = new Histories();
	let limit = PAGE, nodes = [], worst = [], next = null, asked = "";
	const choose = (state) => navigate({state: state === wanted.state ? "" : state, q: wanted.q});

	const mark = icon("info"), words = el("span", {}), facts = sums(), tileRow = tiles(choose), panel = needs(choose), rows = table();
	const head = el("h1", {class: "verdict", role: "status"}, mark, words);
	const filter = el("input", {type: "search", id: "filter", class: "filter", placeholder: t("filter.placeholder"), "aria-label": t("filter.label"),
		autocomplete: "off", spellcheck: "false", value: wanted.q, oninput: () => navigate({state: wanted.state, q: filter.value.trim()}, true)});
	const shown = el("span", {class: "shown", role: "status"});
	const raw = el("a", {class: "raw", target: "_blank", rel: "noopener"}, "JSON");
	const more = el("button", {type: "button", class: "more", hidden: true, onclick: () => {
		limit = Math.min(limit + PAGE, MOST);
		load.kick();
	}}, t("nodes.more"));
	const scroller = el("div", {class: "scroller", tabindex: "-1"}, rows.node, more);
	const list = el("section", {class: "panel nodes-panel", "aria-labelledby": "nodes-head"},
		el("div", {class: "panel-head"}, el("h2", {id: "nodes-head"}, t("nodes.head")), shown, raw, filter), scroller);
	const ticker = tickerPanel();
	outlet.append(el("div", {class: "main"}, el("div", {class: "summary"}, head, facts.node), tileRow.node, panel.node, list, ticker.node));

	function path(state, q, n) {
		const p = new URLSearchParams({order: "worst", limit: n});
		state && p.set(state === "unwell" ? "unwell" : "state", state === "unwell" ? "true" : state);
		q && p.set("q", q);
		return `/v1/nodes?${p}`;
	}

	async function fetchNodes() {
		const url = path(wanted.state, wanted.q, limit);
		const filtered = wanted.state || wanted.q;
		// The sums with the rows, so that they never contradict each other for long.
		const [page, top] = await Promise.all([polls.get(url), filtered ? get(`${path("", "", SENTENCES)}&history=1`) : null, askStatus()]);
		if (url !== path(wanted.state, wanted.q, limit))
			return load.kick(); // somebody chose something else meanwhile
		nodes = page.nodes;
		next = page.next;
		worst = top ? top.nodes : nodes;
		asked = url;
		show();
	}

	function show() {
		const began = performance.now();
		rows.set(nodes);
		setAttribute(raw, "href", asked);
		setAttribute(more, "hidden", next === null || limit >= MOST);
		const total = wanted.q ? null : wanted.state === "unwell" ? live.status?.nodes_unwell : live.status?.nodes[wanted.state || "total"];
		setText(shown, nodes.length === 0 ? t(wanted.q || wanted.state ? "nodes.nothing" : "nodes.empty")
			: next === null ? t("nodes.shown", {n: nodes.length}) : t("nodes.part", {n: nodes.length, total: total ?? t("unknown.short")}));
		showStatus();
		document.documentElement.dataset.updateMs = (performance.now() - began).toFixed(1);
	}

	function showStatus() {
		if (!live.status)
			return;
		const [shape, text] = verdict(live.status);
		setIcon(mark, shape);
		setAttribute(head, "class", `verdict is-${shape}`);
		setText(words, text);
		facts.set(live.status);
		tileRow.set(live.status, wanted.state);
		panel.set(live.status, worst);
	}

	const load = repeat(1000, fetchNodes);
	const off = [on("status", showStatus), on("changed", () => load.kick()), on("events", ticker.set)];
	ticker.set();
	showStatus();
	return {
		title: "",
		focusFilter: () => filter.focus(),
		// Another filter of the same view: nothing is built anew.
		change(q) {
			wanted = {state: q.get("state") ?? "", q: q.get("q") ?? ""};
			limit = PAGE;
			if (filter.value.trim() !== wanted.q)
				filter.value = wanted.q;
			showStatus();
			load.kick();
		},
		tick() {
			rows.tick();
			panel.tick();
		},
		close() {
			load.stop();
			off.forEach((f) => f());
		},
	};
}

function tickerPanel() {
	const list = eventList(t("events.head"));
	let all = localStorage.getItem("tidemark.ticker") === "all";
	const button = (value, key) => el("button", {type: "button", class: "choice", onclick: () => {
		all = value;
		localStorage.setItem("tidemark.ticker", all ? "all" : "changes");
		wantMoves(all);
		set();
	}}, t(key));
	const changes = button(false, "events.changes"), every = button(true, "events.all");
	const none = el("p", {class: "none"});
	wantMoves(all);
	function set() {
		setAttribute(changes, "aria-pressed", String(!all));
		setAttribute(every, "aria-pressed", String(all));
		list.set(live.events, EVENTS);
		setText(none, live.events.length ? "" : t("events.none"));
	}
	const node = el("section", {class: "panel ticker", "aria-labelledby": "ticker-head"},
		el("div", {class: "panel-head"}, el("h2", {id: "ticker-head"}, t("events.head")),
			el("div", {class: "choices", role: "group", "aria-label": t("events.which")}, changes, every),
			el("a", {class: "raw", href: "#/events"}, t("events.older"))),
		el("div", {class: "scroller"}, none, list.node));
	return {node, set};
}
