// events - everything that happened, newest first, by node, level, and who did it; older ones by pages.
import {eventList} from "./eventlist.js";
import {el, setAttribute, setText} from "./dom.js";
import {get, on, repeat, wantMoves} from "./live.js";
import {t} from "./words.js";

const PAGE = 200;
const levels = ["", "warn", "error"];
const kinds = ["", "changes", "people"];
const worse = {"": 3, info: 2, warn: 1, error: 0};

export function open(outlet, _, query, navigate) {
	let wanted = null, events = [], first = null, gone = false;
	const list = eventList(t("events.head"));
	const node = el("input", {type: "search", id: "filter", class: "filter", placeholder: t("events.node.all"), "aria-label": t("events.node"), autocomplete: "off", spellcheck: "false", onchange: () => go()});
	const level = el("select", {"aria-label": t("events.level"), onchange: () => go()},
		...levels.map((l) => el("option", {value: l}, t(`events.level.${l || "all"}`))));
	const who = el("input", {type: "search", class: "filter", placeholder: t("events.who.all"), "aria-label": t("events.who"), autocomplete: "off", spellcheck: "false", onchange: () => go()});
	const choices = kinds.map((k) => el("button", {type: "button", class: "choice", title: t(`events.${k || "all"}.what`), onclick: () => go(k)}, t(`events.${k || "all"}`)));
	const raw = el("a", {class: "raw", target: "_blank", rel: "noopener"}, "JSON");
	const more = el("button", {type: "button", class: "more", onclick: older}, t("events.more"));
	const said = el("p", {class: "none", role: "status"});
	outlet.append(el("div", {class: "view"}, el("section", {class: "panel", "aria-labelledby": "events-head"},
		el("div", {class: "panel-head"}, el("h1", {id: "events-head"}, t("events.head")), el("span", {class: "shown"}, t("events.live")), raw,
			el("div", {class: "choices", role: "group", "aria-label": t("events.which")}, ...choices), who, level, node), list.node, said, more)));

	function go(only = wanted.only) {
		navigate({node: node.value.trim(), level: level.value, only, who: only === "people" ? who.value.trim() : ""});
	}

	function path(extra) {
		const p = new URLSearchParams({limit: PAGE, ...extra});
		wanted.only === "changes" && p.set("moves", "false");
		wanted.only === "people" && p.set("audit", "true");
		wanted.who && p.set("who", wanted.who);
		wanted.node && p.set("node", wanted.node);
		wanted.level && p.set("level", wanted.level);
		return `/v1/events?${p}`;
	}

	function fits(e) {
		return (wanted.only !== "people" || e.who != null) && (!wanted.who || e.who === wanted.who) && (!wanted.node || e.node === wanted.node) && (!wanted.level || worse[e.level] <= worse[wanted.level]);
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
		wanted = {node: q.get("node") ?? "", level: levels.includes(q.get("level")) ? q.get("level") : "", only: kinds.includes(q.get("only")) ? q.get("only") : "", who: q.get("who") ?? ""};
		node.value = wanted.node;
		level.value = wanted.level;
		who.value = wanted.who;
		setAttribute(who, "hidden", wanted.only !== "people");
		choices.forEach((b, i) => setAttribute(b, "aria-pressed", String(kinds[i] === wanted.only)));
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
