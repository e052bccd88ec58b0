// pages - a list that the centre gives by pages: the first is kept fresh while it is the only one, more come at a click.
import {el, setAttribute, setChildren, setText} from "./dom.js";
import {Problem, repeat} from "./live.js";
import {t} from "./words.js";

const EVERY_MS = 2000;

// `body`: where the rows go. newRow(item) → {row, set(item)}. read(after) → {items, next}, after = null: the first.
export function pages({body, keyOf, newRow, read, none}) {
	let items = [], next = null, loaded = 0, rows = new Map(), asked = 0, gone = false;
	const said = el("p", {class: "none", role: "status"});
	const more = el("button", {type: "button", class: "more", hidden: true, onclick: () => turn()}, t("list.more"));

	function show() {
		rows = new Map(items.map((item) => {
			const row = rows.get(keyOf(item)) ?? newRow(item);
			row.set(item);
			return [keyOf(item), row];
		}));
		setChildren(body, [...rows.values()].map((r) => r.row));
		setAttribute(more, "hidden", next === null);
		setText(said, !loaded || items.length ? "" : next === null ? none() : t("list.none_yet"));
	}

	// What was asked before the question changed is thrown away.
	async function ask(after) {
		const mine = asked;
		try {
			const page = await read(after);
			return mine === asked && !gone ? page : null;
		} catch (e) {
			if (!(e instanceof Problem))
				throw e;
			if (mine === asked) {
				setText(said, t("list.refused", {why: e.message}));
				setAttribute(more, "hidden", true);
			}
			return null;
		}
	}

	const load = repeat(EVERY_MS, async () => {
		if (loaded > 1)
			return;
		const page = await ask(null);
		if (!page || loaded > 1)
			return;
		({items, next} = page);
		loaded = 1;
		show();
	});

	async function turn() {
		setAttribute(more, "disabled", true);
		try {
			const page = await ask(next);
			if (page) {
				items = [...items, ...page.items];
				next = page.next;
				loaded++;
				show();
			}
		} catch (e) {
			setText(said, t("list.refused", {why: e.message}));
		}
		setAttribute(more, "disabled", false);
	}

	return {
		said,
		more,
		// Another question, or another answer to it.
		again() {
			asked++;
			loaded = 0;
			items = [];
			next = null;
			show();
			load.kick();
		},
		// The first page anew.
		fresh: load.kick,
		// One of them is no longer in the list.
		drop(key) {
			items = items.filter((item) => keyOf(item) !== key);
			show();
		},
		stop() {
			gone = true;
			load.stop();
		},
	};
}

const TYPED_MS = 300;

// A field that filters as it is typed into: fn at rest.
export function filterField(label, placeholder, fn) {
	let timer = null;
	const field = el("input", {type: "search", class: "filter", placeholder, "aria-label": label, autocomplete: "off", spellcheck: "false", oninput: () => {
		clearTimeout(timer);
		timer = setTimeout(() => field.isConnected && fn(), TYPED_MS);
	}});
	return field;
}
