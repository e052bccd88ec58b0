// conflicts - the versions that lost, or were put aside, newest first.
import {el, setAttribute, setText} from "./dom.js";
import {member, parts} from "./json.js";
import {askText} from "./live.js";
import {filterField, pages} from "./pages.js";
import {nodeHash, recordHash} from "./records.js";
import {has, t, time} from "./words.js";

const PAGE = 100;
const SHOWN = 300; // characters of a body

export const whyWords = (why) => (has(`conflict.why.${why}`) ? t(`conflict.why.${why}`) : why);

// Of each, the body as it is written.
export function readConflicts({value, text}) {
	const written = parts(member(text, "conflicts"));
	return {items: value.conflicts.map((conflict, i) => ({conflict, body: member(member(written[i].text, "record"), "body")})), next: value.next};
}

function newRow({conflict: c, body}) {
	const href = `#/conflict/${c.id}`, at = el("time", {datetime: c.at, title: c.at});
	const row = el("tr", {class: c.record.deleted ? "is-deleted" : null, onclick: (e) => e.target.closest("a") || getSelection().toString() || (location.hash = href)},
		el("td", {class: "cell-at"}, at), el("td", {class: "cell-owner"}, el("a", {href: nodeHash(c.owner)}, c.owner)),
		el("td", {class: "cell-id"}, el("a", {href: recordHash(c.owner, c.record_id)}, c.record_id)),
		el("td", {class: "cell-why", title: c.why}, whyWords(c.why)), el("td", {class: "cell-body"}, c.record.deleted ? t("record.deleted") : body.slice(0, SHOWN)),
		el("th", {scope: "row", class: "cell-do"}, el("a", {href, "aria-label": t("conflict.compare.label", {name: `${c.owner}/${c.record_id}`})}, t("conflict.compare"))));
	return {row, set: () => setText(at, time(c.at))};
}

export function open(outlet, _, query, navigate) {
	let wanted = {};
	const owner = filterField(t("records.owner"), t("events.node.all"), () => navigate({owner: owner.value.trim()}, true));
	const raw = el("a", {class: "raw", target: "_blank", rel: "noopener"}, "JSON");
	const body = el("tbody", {});
	const list = pages({body, keyOf: (item) => item.conflict.id, newRow, none: () => t("conflicts.none"), read: async (after) => readConflicts(await askText("GET", path(after)))});
	const head = ["at", "owner", "id", "why", "body", "do"].map((c) => el("th", {scope: "col", class: `cell-${c}`}, c === "do" ? el("span", {class: "hidden"}, t("conflict.compare")) : t(`conflicts.column.${c}`)));
	outlet.append(el("div", {class: "view"}, el("section", {class: "panel rows-panel", "aria-labelledby": "conflicts-head"},
		el("div", {class: "panel-head"}, el("h1", {id: "conflicts-head"}, t("nav.conflicts")), raw, owner),
		el("p", {class: "about"}, t("conflicts.about")),
		el("table", {class: "rows conflicts"}, el("thead", {}, el("tr", {}, ...head)), body), list.said, list.more)));

	function path(after) {
		const p = new URLSearchParams({order: "newest", limit: PAGE});
		wanted.owner && p.set("owner", wanted.owner);
		after && p.set("after", after);
		return `/v1/conflicts?${p}`;
	}

	function change(q) {
		wanted = {owner: q.get("owner") ?? ""};
		if (owner.value.trim() !== wanted.owner)
			owner.value = wanted.owner;
		setAttribute(raw, "href", path());
		list.again();
	}
	change(query);
	return {title: t("nav.conflicts"), focusFilter: () => owner.focus(), change, close: list.stop};
}
