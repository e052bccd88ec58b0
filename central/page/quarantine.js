// quarantine - what the centre could not take, with every byte and the reason; another try, or the end of it.
import {confirmBy, failureWords} from "./confirm.js";
import {el, setAttribute, setText} from "./dom.js";
import {ask, get} from "./live.js";
import {filterField, pages} from "./pages.js";
import {nodeHash, recordHash} from "./records.js";
import {lacks} from "./session.js";
import {sizeWords} from "./versions.js";
import {number, t, time} from "./words.js";

const PAGE = 50;
const SHOWN = 2000; // characters of a line until all of it is asked for

function line(text) {
	const shown = el("pre", {class: "body is-stored", tabindex: "0", lang: "zxx"}, text.slice(0, SHOWN));
	const all = text.length > SHOWN ? el("button", {type: "button", class: "link", onclick: () => {
		setText(shown, text);
		all.remove();
	}}, t("quarantine.all", {size: sizeWords(text)})) : null;
	return [shown, all];
}

export function open(outlet, _, query, navigate) {
	let wanted = {};
	const node = filterField(t("records.owner"), t("events.node.all"), () => navigate({node: node.value.trim()}, true));
	const raw = el("a", {class: "raw", target: "_blank", rel: "noopener"}, "JSON");
	const body = el("ul", {class: "kept-list"}), said = el("p", {class: "outcome", role: "status"});
	const list = pages({body, keyOf: (q) => q.id, newRow, none: () => t("quarantine.none"), read: async (after) => {
		const page = await get(path(after));
		return {items: page.quarantine, next: page.next};
	}});
	outlet.append(el("div", {class: "view"}, el("section", {class: "panel rows-panel", "aria-labelledby": "quarantine-head"},
		el("div", {class: "panel-head"}, el("h1", {id: "quarantine-head"}, t("nav.quarantine")), raw, node),
		el("p", {class: "about"}, t("quarantine.about")), lacks("operator"), said, body, list.said, list.more)));

	async function act(q, verb, buttons) {
		const name = `${q.owner}/${q.record_id}`;
		if (verb === "drop" && !await confirmBy(t("quarantine.drop.head", {name}), t(q.held ? "quarantine.drop.held" : "quarantine.drop.what"), t("quarantine.drop")))
			return;
		buttons.forEach((b) => setAttribute(b, "disabled", true));
		try {
			await (verb === "drop" ? ask("DELETE", `/v1/quarantine/${q.id}`) : ask("POST", `/v1/quarantine/${q.id}/retry`));
			setAttribute(said, "class", "outcome is-ok");
			setText(said, t(`quarantine.done.${verb}`, {name}));
			list.drop(q.id);
		} catch (e) {
			setAttribute(said, "class", "outcome is-failed");
			setText(said, `${name}: ${failureWords(e)}`);
		}
		buttons.forEach((b) => setAttribute(b, "disabled", false));
		list.fresh();
	}

	function newRow(q) {
		const at = el("time", {datetime: q.at, title: q.at}), reason = el("p", {class: "kept-reason", lang: "en"}), tries = el("span", {}), held = el("span", {});
		const buttons = ["retry", "drop"].map((verb) => el("button", {type: "button", class: `button${verb === "drop" ? " do-rm" : ""}`, "data-needs": "operator", title: t(`quarantine.${verb}.hint`), onclick: () => act(q, verb, buttons)}, t(`quarantine.${verb}`)));
		const row = el("li", {class: "kept"},
			el("div", {class: "kept-head"}, el("h2", {}, el("a", {href: nodeHash(q.owner)}, q.owner), " / ", el("a", {href: recordHash(q.owner, q.record_id)}, q.record_id)),
				el("span", {class: "shown"}, at, ` \u00b7 ${t("quarantine.seq", {seq: number(q.seq)})} \u00b7 `, tries, " \u00b7 ", held), el("div", {class: "buttons"}, ...buttons)),
			reason, ...line(q.line).filter(Boolean));
		return {
			row,
			set(now) {
				q = now;
				setText(at, time(q.at));
				setText(reason, q.reason);
				setText(tries, q.attempts ? t("quarantine.tried", {n: q.attempts, at: time(q.tried_at)}) : t("quarantine.untried"));
				setText(held, t(q.held ? "quarantine.held" : "quarantine.not_held"));
			},
		};
	}

	function path(after) {
		const p = new URLSearchParams({limit: PAGE});
		wanted.node && p.set("owner", wanted.node);
		after && p.set("after", after);
		return `/v1/quarantine?${p}`;
	}

	function change(q) {
		wanted = {node: q.get("node") ?? ""};
		if (node.value.trim() !== wanted.node)
			node.value = wanted.node;
		setAttribute(raw, "href", path());
		list.again();
	}
	change(query);
	return {title: t("nav.quarantine"), focusFilter: () => node.focus(), change, close: list.stop};
}
