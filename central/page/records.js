// records - those of all nodes, by node and id; of one node, of one type, deleted ones too.
import {el, setAttribute, setText} from "./dom.js";
import {member, parts} from "./json.js";
import {askText} from "./live.js";
import {filterField, pages} from "./pages.js";
import {t, time} from "./words.js";

const PAGE = 100, PAGES_AT_ONCE = 10;
const SHOWN = 300; // characters of a body; the cell ends sooner

export const recordPath = (owner, id) => `/v1/records/${encodeURIComponent(owner)}/${encodeURIComponent(id)}`;
export const recordHash = (owner, id) => `#/record/${encodeURIComponent(owner)}/${encodeURIComponent(id)}`;
export const nodeHash = (name) => `#/node/${encodeURIComponent(name)}`;

function newRow({record}) {
	const href = recordHash(record.owner, record.id);
	const type = el("td", {class: "cell-type"}), changed = el("time", {}), body = el("td", {class: "cell-body"});
	const row = el("tr", {onclick: (e) => e.target.closest("a") || getSelection().toString() || (location.hash = href)},
		el("td", {class: "cell-owner"}, el("a", {href: nodeHash(record.owner)}, record.owner)), el("th", {scope: "row", class: "cell-id"}, el("a", {href}, record.id)),
		type, el("td", {class: "cell-at"}, changed), body);
	return {
		row,
		set({record: r, body: text}) {
			setText(type, r.type);
			setText(changed, time(r.updated_at));
			setAttribute(changed, "datetime", r.updated_at);
			setAttribute(changed, "title", r.updated_at);
			setText(body, r.deleted ? t("record.deleted") : text.slice(0, SHOWN));
			setAttribute(row, "class", r.deleted ? "is-deleted" : null);
		},
	};
}

// The body is shown as it is written, not as this browser would write it.
function readPage({value, text}) {
	const written = parts(member(text, "records"));
	return {items: value.records.map((record, i) => ({record, body: member(written[i].text, "body")})), next: value.next};
}

// A page of the API may have few, or none, where there are more: it looks at so many records and no more. Then the next ones too, for a while.
async function readFilled(path, after) {
	const page = {items: [], next: after};
	for (let i = 0; i < PAGES_AT_ONCE && page.items.length < PAGE && (i === 0 || page.next !== null); i++) {
		const {items, next} = readPage(await askText("GET", path(page.next)));
		page.items.push(...items);
		page.next = next;
	}
	return page;
}

// "NODE/ID", or the id alone where a node is chosen.
function keyTyped(text, owner) {
	const slash = text.indexOf("/");
	if (slash > 0 && slash < text.length - 1)
		return [text.slice(0, slash), text.slice(slash + 1)];
	return slash < 0 && owner ? [owner, text] : null;
}

export function open(outlet, _, query, navigate) {
	let wanted = {};
	const owner = filterField(t("records.owner"), t("events.node.all"), go), type = filterField(t("records.type"), t("records.type.all"), go);
	const deleted = el("input", {type: "checkbox", onchange: go});
	const key = el("input", {type: "search", class: "filter", name: "key", placeholder: t("records.open.placeholder"), "aria-label": t("records.open"), autocomplete: "off", spellcheck: "false"});
	const find = el("form", {onsubmit: (e) => {
		e.preventDefault();
		const found = keyTyped(key.value.trim(), wanted.owner);
		key.setCustomValidity(found ? "" : t("records.open.how"));
		if (found)
			location.hash = recordHash(...found);
		else
			key.reportValidity();
	}, oninput: () => key.setCustomValidity("")}, key);
	const raw = el("a", {class: "raw", target: "_blank", rel: "noopener"}, "JSON");
	const body = el("tbody", {});
	const list = pages({body, keyOf: ({record}) => `${record.owner}/${record.id}`, newRow, none: () => t("records.none"), read: (after) => readFilled(path, after)});
	const head = ["owner", "id", "type", "at", "body"].map((c) => el("th", {scope: "col", class: `cell-${c}`}, t(`records.column.${c}`)));
	outlet.append(el("div", {class: "view"}, el("section", {class: "panel rows-panel", "aria-labelledby": "records-head"},
		el("div", {class: "panel-head"}, el("h1", {id: "records-head"}, t("nav.records")), raw, find,
			el("label", {class: "check"}, deleted, t("records.deleted")), type, owner),
		el("table", {class: "rows records"}, el("thead", {}, el("tr", {}, ...head)), body), list.said, list.more)));

	function go() {
		navigate({owner: owner.value.trim(), type: type.value.trim(), deleted: deleted.checked ? "true" : ""}, true);
	}

	function path(after) {
		const p = new URLSearchParams({limit: PAGE});
		for (const [name, value] of Object.entries({...wanted, after}))
			value && p.set(name, value);
		return `/v1/records?${p}`;
	}

	function change(q) {
		wanted = {owner: q.get("owner") ?? "", type: q.get("type") ?? "", deleted: q.get("deleted") === "true" ? "true" : ""};
		for (const [field, value] of [[owner, wanted.owner], [type, wanted.type]])
			if (field.value.trim() !== value)
				field.value = value;
		deleted.checked = Boolean(wanted.deleted);
		setAttribute(raw, "href", path());
		list.again();
	}
	change(query);
	return {title: t("nav.records"), focusFilter: () => owner.focus(), change, close: list.stop};
}
