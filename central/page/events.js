// events - everything that happened, newest first, by node and level; older ones by pages.
import {eventList} from "./eventlist.js";
import {el, setAttribute, setText} from "./dom.js";
import {get, on, repeat, wantMoves} from "./live.js";
import {t} from "./words.js";

const PAGE = 200;
const levels = ["", "warn", "error"];
const worse = {"": 3, info: 2, warn: 1, error: 0};

export function open(outlet, _, query, navigate) {
	let wanted = null, events = [], first = null, gone = false;
	const list = eventList(t("events.head"));
	const node = el("input", {type: "search", id: "filter", class: "filter", placeholder: t("events.node.all"), "aria-label": t("events.node"), autocomplete: "off", spellcheck: "false", onchange: () => go()});
	const level = el("select", {"aria-label": t("events.level"), onchange: () => go()},
		...levels.map((l) => el("option", {value: l}, t(`events.level.${l || "all"}`))));
	const changes = el("input", {type: "checkbox", onchange: () => go()});
	const raw = el("a", {class: "raw", target: "_blank", rel: "noopener"}, "JSON");
	const more = el("button", {type: "button", class: "more", onclick: older}, t("events.more"));
	const said = el("p", {class: "none", role: "status"});
	outlet.append(el("div", {class: "view"}, el("section", {class: "panel", "aria-labelledby": "events-head"},
		el("div", {class: "panel-head"}, el("h1", {id: "events-head"}, t("events.head")), el("span", {class: "shown"}, t("events.live")), raw,
			el("label", {class: "check"}, changes, t("events.changes")), level, node), list.node, said, more)));

	function go() {
		navigate({node: node.value.trim(), level: level.value, only: changes.checked ? "changes" : ""});
	}

	function path(extra) {
		const p = new URLSearchParams({limit: PAGE, ...extra});
		wanted.only && p.set("moves", "false");
		wanted.node && p.set("node", wanted.node);
		wanted.level && p.set("level", wanted.level);
		return `/v1/events?${p}`;
	}

	function fits(e) {
		return (!wanted.node || e.node === wanted.node) && (!wanted.level || worse[e.level] <= worse[wanted.level]);
	}

	function show() {
		list.set(events, 5000);
		setText(said, events.length === 0 && first !== null ? t("events.none") : first === false ? t("events.end") : "");
		setAttribute(more, "hidden", !first);
	}

	async function fetchFirst() {
		const mine = wanted;
		const found = (await get(path())).events;
		if (mine !== wanted || gone)
			return;
		const newer = events.filter((e) => !found.length || e.id > found.at(-1).id);
		events = [...found, ...newer];
		first = found.length < PAGE ? false : found[0].id;
		loading.stop(); // from here on the stream tells
		show();
	}

	async function older() {
		const mine = wanted;
		setAttribute(more, "disabled", true);
		try {
			const found = (await get(path({before: first}))).events;
			if (mine !== wanted || gone)
				return;
			events = [...found, ...events];
			first = found.length < PAGE ? false : found[0].id;
			show();
		} catch (e) {
			setText(said, e.message);
		} finally {
			setAttribute(more, "disabled", false);
		}
	}

	let loading = null;
	function change(q) {
		wanted = {node: q.get("node") ?? "", level: levels.includes(q.get("level")) ? q.get("level") : "", only: q.get("only") === "changes" ? "changes" : ""};
		node.value = wanted.node;
		level.value = wanted.level;
		changes.checked = wanted.only === "changes";
		wantMoves(!wanted.only);
		setAttribute(raw, "href", path());
		events = [];
		first = null;
		show();
		loading?.stop();
		loading = repeat(1000, fetchFirst);
	}
	change(query);

	const off = on("events", (found) => {
		const mine = found.filter(fits);
		if (!mine.length)
			return;
		events.push(...mine.filter((e) => !events.length || e.id > events.at(-1).id));
		show();
	});
	return {
		title: t("events.head"),
		focusFilter: () => node.focus(),
		change,
		close() {
			gone = true;
			loading.stop();
			off();
		},
	};
}
