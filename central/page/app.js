// app - the frame around the views: routes, keys, language and colours, who is signed in, and how old the data is.
import * as conflict from "./conflict.js";
import * as conflicts from "./conflicts.js";
import {el, plain, setAttribute, setText, svg} from "./dom.js";
import * as events from "./events.js";
import {ageOfData, live, on, start, tryNow} from "./live.js";
import * as main from "./main.js";
import * as node from "./node.js";
import * as quarantine from "./quarantine.js";
import * as record from "./record.js";
import * as records from "./records.js";
import {askToken, openAccount, whoWords} from "./signin.js";
import {duration, languageNow, languages, preferredLanguage, setLanguage, stateName, t, time} from "./words.js";

// One line a view: what the hash begins with, its module, under which name the navigation lists it, or which of those it belongs to.
const routes = [
	{path: /^\/$/, view: main, link: "#/", name: "nav.nodes"},
	{path: /^\/node\/([^/]+)$/, view: node, under: "#/"},
	{path: /^\/events$/, view: events, link: "#/events", name: "nav.events"},
	{path: /^\/records$/, view: records, link: "#/records", name: "nav.records"},
	{path: /^\/record\/([^/]+)\/([^/]+)$/, view: record, under: "#/records"},
	{path: /^\/conflicts$/, view: conflicts, link: "#/conflicts", name: "nav.conflicts"},
	{path: /^\/conflict\/([^/]+)$/, view: conflict, under: "#/conflicts"},
	{path: /^\/quarantine$/, view: quarantine, link: "#/quarantine", name: "nav.quarantine"},
];

const STALE_S = 7; // without an answer for so long, the page says so, whatever else it believes

let current = null; // {path, hash, view: what open() returned}
let frame = null;

// --- routes ---

// Whoever wrote an address by hand gets what he wrote.
function decoded(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

function parseHash() {
	const [path, query] = (location.hash.slice(1) || "/").split("?");
	for (const route of routes) {
		const m = route.path.exec(path);
		if (m)
			return {route, params: m.slice(1).map(decoded), query: new URLSearchParams(query ?? ""), path};
	}
	return {route: routes[0], params: [], query: new URLSearchParams(), path: "/"};
}

// A view changes what it is asked for: what is empty is left out. `quietly`: typing makes no steps back.
function navigate(values, quietly) {
	const p = new URLSearchParams(Object.entries(values).filter(([, v]) => v));
	const hash = `#${parseHash().path}${String(p) && "?" + p}`;
	if (quietly)
		history.replaceState(null, "", hash);
	else
		history.pushState(null, "", hash);
	show();
}

function show() {
	const {route, params, query, path} = parseHash(), {hash} = location;
	if (current?.hash === hash)
		return; // told twice: the hash changed, and the history moved
	if (current?.path === path && current.view.change) {
		current.hash = hash;
		current.view.change(query);
		return;
	}
	current?.view.close();
	frame.outlet.replaceChildren();
	current = {path, hash, view: route.view.open(frame.outlet, params, query, navigate)};
	document.title = plain([current.view.title, "Tidemark"].filter(Boolean).join(" · "));
	for (const a of frame.links)
		setAttribute(a, "aria-current", a.hash === (route.link ?? route.under) ? "page" : null);
	if (frame.moved)
		frame.outlet.focus({preventScroll: true});
	frame.moved = true;
	scrollTo(0, 0);
}

// --- the frame ---

function logo() {
	return svg("svg", {class: "logo", viewBox: "0 0 32 32", "aria-hidden": "true"}, svg("rect", {width: 32, height: 32, rx: 7}),
		svg("path", {class: "tide", d: "M5 13q3.7-4 7.3 0t7.3 0 7.4 0"}), svg("path", {class: "mark-line", d: "M5 21h22"}));
}

function build() {
	const button = (text, label, onclick) => el("button", {type: "button", class: "tool", title: label, "aria-label": label, onclick}, text);
	const links = routes.filter((r) => r.link).map((r) => el("a", {href: r.link}, t(r.name)));
	const centre = el("span", {class: "centre"}), fresh = el("span", {class: "fresh"}), banner = el("p", {class: "banner", hidden: true, role: "alert"});
	const again = el("button", {type: "button", class: "link", onclick: tryNow}, t("lost.now"));
	const bannerText = el("span", {});
	const spoken = el("div", {class: "hidden", role: "status", "aria-live": "polite"});
	const outlet = el("main", {id: "main", tabindex: "-1"});
	banner.append(bannerText, " ", again);
	const other = languages[(languages.indexOf(languageNow()) + 1) % languages.length];
	const language = button(other.toUpperCase(), t("language.switch"), () => chooseLanguage(other));
	language.lang = other;
	const account = button("", t("account.open"), openAccount);
	account.classList.add("account");
	document.body.replaceChildren(
		el("a", {class: "skip", href: "#main", onclick: (e) => {
			e.preventDefault();
			outlet.focus();
		}}, t("skip")),
		el("header", {class: "top"}, el("a", {class: "brand", href: "#/", "aria-label": t("brand.label")}, logo(), "Tidemark"),
			el("nav", {"aria-label": t("nav.label")}, ...links), centre, fresh, account,
			language, button("\u25D0", t("theme.switch"), nextTheme), button("?", t("help.open"), () => openHelp())),
		banner, outlet, spoken);
	frame = {links, account, centre, fresh, banner, bannerText, again, outlet, spoken, moved: false};
}

function showCentre() {
	const s = live.status;
	if (!s)
		return;
	const store = t(s.store.ok ? "centre.store.ok" : "centre.store.failed", {kind: s.store.kind === "postgresql" ? "PostgreSQL" : "SQLite"});
	setText(frame.centre, `${store} · v${s.version} · ${t("centre.up", {time: duration(s.uptime_s)})}`);
	frame.centre.classList.toggle("is-bad", !s.store.ok);
}

// What the role allows is there; what it does not is not (style.css).
function showWho() {
	const who = live.who, asked = Boolean(who) && who.by !== "none";
	setAttribute(document.body, "data-role", who?.role);
	setAttribute(frame.account, "hidden", !asked);
	setText(frame.account, asked ? whoWords(who) : "");
	setAttribute(frame.account, "aria-label", asked ? `${whoWords(who)}: ${t("account.open")}` : t("account.open"));
}

// --- the age of the data ---

function tick() {
	if (document.hidden)
		return; // nothing is asked for meanwhile
	const old = ageOfData(), lost = live.mode === "lost" || (live.mode !== "signin" && old != null && old > STALE_S);
	document.body.classList.toggle("is-lost", lost);
	setAttribute(frame.fresh, "class", `fresh is-${lost ? "lost" : live.mode}`);
	setText(frame.fresh, old == null ? t("fresh.start") : t(lost ? "fresh.lost" : `fresh.${live.mode}`, {age: duration(old)}));
	setAttribute(frame.fresh, "title", t(`fresh.${lost ? "lost" : live.mode}.what`));
	setAttribute(frame.banner, "hidden", !lost);
	if (lost) {
		const next = live.againAt == null ? t("lost.trying") : t("lost.next", {time: duration(Math.ceil(Math.max(0, live.againAt - performance.now()) / 1000))});
		const seen = old == null ? t("lost.never") : t("lost.since", {age: duration(old), at: time(Date.now() - old * 1000)});
		setText(frame.bannerText, `${seen} ${next}`);
		setAttribute(frame.bannerText, "title", live.failure);
	} else {
		current?.view.tick?.();
	}
}

// --- what a screen reader is told ---

let toSay = [], saying = null, said = 0;

function announce(found) {
	const fresh = found.filter((e) => e.id > said);
	said = Math.max(said, ...found.map((e) => e.id));
	for (const e of fresh) {
		const m = e.kind === "node.state" && /^([a-z_]+) /.exec(e.text);
		if (m)
			toSay.push(`${e.node}: ${stateName(m[1])}`);
	}
	if (toSay.length && !saying)
		saying = setTimeout(() => {
			setText(frame.spoken, toSay.length > 4 ? t("spoken.many", {n: toSay.length}) : toSay.join(". "));
			toSay = [];
			saying = null;
		}, 1000);
}

// --- language and colours ---

async function chooseLanguage(code) {
	localStorage.setItem("tidemark.language", code);
	await setLanguage(code);
	current?.view.close();
	current = null;
	build();
	showCentre();
	showWho();
	show();
	tick();
}

const themes = ["auto", "light", "dark"];

function setTheme(theme) {
	setAttribute(document.documentElement, "data-theme", theme === "auto" ? null : theme);
}

function nextTheme() {
	const now = themes.indexOf(localStorage.getItem("tidemark.theme") ?? "auto");
	const theme = themes[(now + 1) % themes.length];
	localStorage.setItem("tidemark.theme", theme);
	setTheme(theme);
	setText(frame.spoken, t(`theme.${theme}`));
}

// --- dialogs ---

function openHelp() {
	const keys = [["/", "help.filter"], ["\u2191 \u2193", "help.move"], ["Enter", "help.enter"], ["Esc", "help.back"], ["n", "help.nodes"], ["e", "help.events"], ["r", "help.records"], ["c", "help.conflicts"], ["q", "help.quarantine"], ["?", "help.help"]];
	const dialog = el("dialog", {class: "dialog", "aria-labelledby": "help-head", onclose: () => dialog.remove()},
		el("h2", {id: "help-head"}, t("help.head")),
		el("dl", {class: "keys"}, ...keys.flatMap(([k, text]) => [el("dt", {}, el("kbd", {}, k)), el("dd", {}, t(text))])),
		el("p", {}, t("help.bar")),
		el("p", {}, t("help.more"), " ", el("a", {href: "/openapi.yaml", target: "_blank", rel: "noopener"}, "openapi.yaml"), " · ",
			el("a", {href: "/v1/status", target: "_blank", rel: "noopener"}, "status"), " · ", el("a", {href: "/metrics", target: "_blank", rel: "noopener"}, "metrics")),
		el("form", {method: "dialog"}, el("button", {class: "button"}, t("close"))));
	document.body.append(dialog);
	dialog.showModal();
}

// --- keys ---

function typing(target) {
	return target.closest("input, textarea, select, dialog") !== null;
}

document.addEventListener("keydown", (e) => {
	if (e.ctrlKey || e.metaKey || e.altKey)
		return;
	if (e.key === "Escape" && !e.target.closest("dialog")) {
		if (e.target.matches("input") && (e.target.value || parseHash().path === "/")) {
			e.target.value = "";
			e.target.dispatchEvent(new Event("input"));
			e.target.blur();
		} else if (parseHash().path !== "/") {
			location.hash = "#/";
		}
		return;
	}
	if (typing(e.target))
		return;
	const does = {"/": () => current.view.focusFilter?.(), "?": openHelp, n: () => (location.hash = "#/"), e: () => (location.hash = "#/events"),
		r: () => (location.hash = "#/records"), c: () => (location.hash = "#/conflicts"), q: () => (location.hash = "#/quarantine")}[e.key];
	if (does) {
		e.preventDefault();
		does();
	}
});

// --- start ---

setTheme(localStorage.getItem("tidemark.theme") ?? "auto");
await setLanguage(localStorage.getItem("tidemark.language") ?? preferredLanguage(navigator.languages ?? []));
build();
showWho();
on("who", showWho);
on("mode", (mode) => {
	if (mode === "signin")
		askToken();
	tick();
});
on("status", () => {
	showCentre();
	tick();
});
on("events", announce);
addEventListener("hashchange", show);
addEventListener("popstate", show);
show();
start();
setInterval(tick, 1000);
