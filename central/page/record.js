// record - one record: its body as people read it and as it is stored, changed and deleted only in the version that is shown.
import {confirmBy, failureWords} from "./confirm.js";
import {el, setAttribute, setText} from "./dom.js";
import {member, pretty} from "./json.js";
import {ask, askText, Problem, repeat} from "./live.js";
import {nodeHash, recordPath} from "./records.js";
import {lacks} from "./session.js";
import {factsOf, sizeWords} from "./versions.js";
import {t} from "./words.js";

const EVERY_MS = 2000;

// --- its body ---

function bodyPanel() {
	let text = "", stored = localStorage.getItem("tidemark.body") === "stored";
	const shown = el("pre", {class: "body", tabindex: "0", "aria-label": t("record.body")}), size = el("span", {class: "shown"});
	const choice = (value, key) => el("button", {type: "button", class: "choice", title: t(`${key}.what`), onclick: () => {
		stored = value;
		localStorage.setItem("tidemark.body", value ? "stored" : "indented");
		show();
	}}, t(key));
	const indented = choice(false, "record.indented"), exact = choice(true, "record.stored");
	function show() {
		setAttribute(indented, "aria-pressed", String(!stored));
		setAttribute(exact, "aria-pressed", String(stored));
		setAttribute(shown, "class", stored ? "body is-stored" : "body");
		setText(shown, stored ? text : pretty(text));
		setText(size, sizeWords(text));
	}
	return {
		choices: el("div", {class: "choices", role: "group", "aria-label": t("record.shape")}, indented, exact),
		size,
		shown,
		set(written) {
			text = written;
			show();
		},
	};
}

// --- another body for it ---

// save(type, text, hash) and close() are the view's.
function editor(save, close) {
	let from = null; // the version it began with: {record, body, text (as the field gave it back)}
	const type = el("input", {type: "text", class: "filter", autocomplete: "off", spellcheck: "false", required: true});
	const text = el("textarea", {class: "body", rows: 14, spellcheck: "false", autocomplete: "off", "aria-label": t("record.body")});
	const said = el("p", {class: "outcome is-failed", role: "alert"}), moved = el("p", {class: "outcome is-moved", role: "status"});
	const first = el("button", {class: "button is-first"}, t("record.save")), over = el("button", {type: "button", class: "button is-danger", hidden: true, onclick: () => send(latest)}, t("record.save.over"));
	const take = el("button", {type: "button", class: "button", hidden: true, onclick: () => begin(latest)}, t("record.take"));
	const indent = el("button", {type: "button", class: "button", title: t("record.indent.what"), onclick: () => valid() && (text.value = pretty(text.value))}, t("record.indent"));
	const buttons = [first, over, take, indent];
	const form = el("form", {class: "panel edit", hidden: true, "aria-label": t("record.edit"), onkeydown: (e) => e.stopPropagation(), onsubmit: (e) => { // no key leaves what is typed
		e.preventDefault();
		send(from);
	}}, el("div", {class: "panel-head"}, el("h2", {}, t("record.edit")), el("label", {class: "check"}, t("record.type"), type)), text, moved, said,
	el("div", {class: "buttons"}, first, over, take, indent, el("button", {type: "button", class: "button", onclick: () => {
		setAttribute(form, "hidden", true);
		close();
	}}, t("cancel"))));
	let latest = null;

	// The server looks closer; this only tells sooner, and that it is one value.
	function valid() {
		try {
			JSON.parse(text.value);
			setText(said, "");
			return true;
		} catch (e) {
			setText(said, t("record.not_json", {why: e.message}));
			return false;
		}
	}

	function begin(version) {
		type.value = version.record.type;
		text.value = version.body;
		from = latest = {...version, text: text.value}; // a field changes ends of lines
		setText(said, "");
		seen(version);
		setAttribute(form, "hidden", false);
		text.focus();
		text.setSelectionRange(0, 0);
	}

	function seen(version) {
		latest = version;
		const other = version.record.hash !== from.record.hash;
		setText(moved, !other ? "" : t(version.record.deleted ? "record.moved.deleted" : "record.moved"));
		setAttribute(over, "hidden", !other);
		setAttribute(take, "hidden", !other || version.record.deleted);
		setAttribute(first, "hidden", other);
	}

	async function send(version) {
		if (!valid())
			return;
		if (text.value === from.text && type.value === from.record.type && version === from) {
			setText(said, t("record.unchanged"));
			return;
		}
		const body = text.value === from.text ? from.body : text.value;
		buttons.forEach((b) => setAttribute(b, "disabled", true));
		try {
			await save(type.value.trim(), body, version.record.hash);
			setAttribute(form, "hidden", true);
			close();
		} catch (e) {
			setText(said, e.code === "precondition_failed" ? t("record.met") : failureWords(e));
		}
		buttons.forEach((b) => setAttribute(b, "disabled", false));
	}

	return {node: form, begin, seen, isOpen: () => !form.hidden};
}

// --- the view ---

export function open(outlet, [owner, id]) {
	let version = null, gone = false;
	const path = recordPath(owner, id);
	const body = bodyPanel(), facts = el("dl", {class: "facts"}), said = el("p", {class: "outcome", role: "status"}), none = el("p", {class: "none", role: "alert"});
	const edit = el("button", {type: "button", class: "button", "data-needs": "operator", onclick: () => {
		editing.begin(version);
		show();
	}}, t("record.edit")), remove = el("button", {type: "button", class: "button do-rm", "data-needs": "operator", onclick: drop}, t("record.delete"));
	const editing = editor(save, show);
	const head = el("section", {class: "panel record-head", "aria-labelledby": "record-name"},
		el("p", {class: "crumb"}, el("a", {href: `#/records?owner=${encodeURIComponent(owner)}`}, "\u2190 ", t("record.back", {name: owner}))),
		el("h1", {id: "record-name"}, el("a", {href: nodeHash(owner)}, owner), " / ", id), none, facts, said);
	const shown = el("section", {class: "panel", "aria-labelledby": "body-head"},
		el("div", {class: "panel-head"}, el("h2", {id: "body-head"}, t("record.body")), body.choices, body.size, el("a", {class: "raw", href: path, target: "_blank", rel: "noopener"}, "JSON"), edit, remove), lacks("operator"), body.shown);
	outlet.append(el("div", {class: "view record-view"}, head, shown, editing.node));

	function show() {
		setAttribute(shown, "hidden", version === null || editing.isOpen());
		setAttribute(facts, "hidden", version === null);
	}

	function take({value, text}) {
		const before = version?.record.hash;
		version = {record: value, body: member(text, "body")};
		setText(none, "");
		if (before !== value.hash) {
			facts.replaceChildren(...factsOf(value));
			body.set(version.body);
			if (editing.isOpen())
				editing.seen(version);
		}
		show();
	}

	async function look() {
		try {
			const found = await askText("GET", path);
			gone || take(found);
		} catch (e) {
			if (!(e instanceof Problem))
				throw e;
			if (gone)
				return;
			setText(none, e.body.hash ? t("record.gone") : e.status === 404 ? t("record.missing") : e.message);
			if (editing.isOpen() && e.body.hash) // what was typed can still be written, over the tombstone
				editing.seen(version = {...version, record: {...version.record, hash: e.body.hash, deleted: true}});
			else
				version = null;
			show();
		}
	}

	function tell(ok, text) {
		setAttribute(said, "class", `outcome ${ok ? "is-ok" : "is-failed"}`);
		setText(said, text);
	}

	async function save(type, text, hash) {
		try {
			take(await askText("PUT", path, `{"type":${JSON.stringify(type)},"body":${text}}`, {"If-Match": `"${hash}"`}));
		} catch (e) {
			if (e.code === "precondition_failed")
				await look(); // shows what is there now
			throw e;
		}
		tell(true, t("record.saved", {name: owner}));
	}

	async function drop() {
		const {hash} = version.record;
		if (!await confirmBy(t("record.delete.head", {id}), t("record.delete.what", {name: owner}), t("record.delete")))
			return;
		try {
			await ask("DELETE", path, null, {"If-Match": `"${hash}"`});
			tell(true, t("record.dropped", {name: owner}));
		} catch (e) {
			tell(false, e.code === "precondition_failed" ? t("record.delete.met") : failureWords(e));
		}
		load.kick();
	}

	const load = repeat(EVERY_MS, look);
	show();
	return {
		title: `${owner}/${id}`,
		close() {
			gone = true;
			load.stop();
		},
	};
}
