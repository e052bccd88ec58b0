// conflict - a version that was kept beside the present one, and what makes it the present one.
import {confirmBy, failureWords} from "./confirm.js";
import {readConflicts, whyWords} from "./conflicts.js";
import {diffTable} from "./diff.js";
import {el, setAttribute, setText} from "./dom.js";
import {member, pretty} from "./json.js";
import {ask, askText, Problem, repeat} from "./live.js";
import {nodeHash, recordHash, recordPath} from "./records.js";
import {lacks} from "./session.js";
import {factsOf, sizeWords} from "./versions.js";
import {t, time} from "./words.js";

const EVERY_MS = 2000;

// {record, body} or, where there is none now, {record: null}
async function presentVersion(owner, id) {
	try {
		const {value, text} = await askText("GET", recordPath(owner, id));
		return {record: value, body: member(text, "body")};
	} catch (e) {
		if (e instanceof Problem && e.status === 404)
			return {record: null, deleted: Boolean(e.body.hash)};
		throw e;
	}
}

async function keptVersion(id) {
	if (!id)
		return null;
	const {items} = readConflicts(await askText("GET", `/v1/conflicts?limit=1&after=${id - 1}`));
	return items.find((item) => item.conflict.id === id) ?? null;
}

function textOf(version) {
	if (!version.record)
		return version.deleted ? t("record.deleted") : t("conflict.missing");
	return version.record.deleted ? t("record.deleted") : pretty(version.body);
}

function headOf(name, version) {
	const facts = version.record ? [el("dl", {class: "version"}, ...factsOf(version.record))] : [];
	return [el("strong", {}, name), " ", el("span", {class: "shown"}, version.record && !version.record.deleted ? sizeWords(version.body) : ""), ...facts];
}

function same(kept, present) {
	if (kept.record.deleted)
		return !present.record;
	return Boolean(present.record) && present.record.type === kept.record.type && present.body === kept.body;
}

export function open(outlet, [text]) {
	const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0;
	let kept = null, present = null, seen = "", gone = false;
	const name = el("h1", {id: "conflict-name"}, t("conflict.name", {id: text})), why = el("p", {class: "conflict-why"}), none = el("p", {class: "none", role: "alert"});
	const said = el("p", {class: "outcome", role: "status"}), table = diffTable(t("conflict.compare"));
	const promote = el("button", {type: "button", class: "button", "data-needs": "operator", title: t("conflict.promote.what"), onclick: act}, t("conflict.promote"));
	const equal = el("p", {class: "conflict-equal"});
	const shown = el("section", {class: "panel", hidden: true, "aria-label": t("conflict.compare")}, el("div", {class: "buttons"}, promote, equal), lacks("operator"), said, table.node);
	outlet.append(el("div", {class: "view conflict-view"}, el("section", {class: "panel record-head", "aria-labelledby": "conflict-name"},
		el("p", {class: "crumb"}, el("a", {href: "#/conflicts"}, "\u2190 ", t("conflict.back"))), name, why, none), shown));

	function show() {
		const {conflict: c} = kept, mine = {record: c.record, body: kept.body};
		const is = same(mine, present), drawn = `${c.record.hash} ${present.record?.hash ?? present.deleted}`;
		setAttribute(promote, "disabled", is);
		setText(equal, is ? t("conflict.is_present") : "");
		if (drawn === seen)
			return; // what was unfolded and selected stays
		seen = drawn;
		name.replaceChildren(t("conflict.name", {id: c.id}), " ", el("a", {href: nodeHash(c.owner)}, c.owner), " / ", el("a", {href: recordHash(c.owner, c.record_id)}, c.record_id));
		setText(why, t("conflict.when", {at: time(c.at), why: whyWords(c.why)}));
		table.left.replaceChildren(...headOf(t("conflict.kept"), mine));
		table.right.replaceChildren(...headOf(t("conflict.present"), present));
		table.set(textOf(mine), textOf(present));
		setAttribute(shown, "hidden", false);
	}

	async function look() {
		try {
			kept ??= await keptVersion(id);
			if (kept)
				present = await presentVersion(kept.conflict.owner, kept.conflict.record_id);
		} catch (e) {
			if (!(e instanceof Problem))
				throw e;
			gone || setText(none, e.message);
			return;
		}
		if (gone)
			return;
		setText(none, kept ? "" : t("conflict.none", {id: text}));
		kept && show();
	}

	async function act() {
		const {owner, record_id: record} = kept.conflict;
		if (!await confirmBy(t("conflict.promote.head"), t("conflict.promote.confirm", {name: `${owner}/${record}`}), t("conflict.promote")))
			return;
		try {
			const {changed} = await ask("POST", `/v1/conflicts/${id}/promote`);
			setAttribute(said, "class", "outcome is-ok");
			setText(said, t(changed ? "conflict.promoted" : "conflict.is_present", {name: owner}));
		} catch (e) {
			setAttribute(said, "class", "outcome is-failed");
			setText(said, failureWords(e));
		}
		load.kick();
	}

	const load = repeat(EVERY_MS, look);
	return {
		title: t("conflict.name", {id: text}),
		close() {
			gone = true;
			load.stop();
		},
	};
}
