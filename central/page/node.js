// node - everything about one: its state in a sentence, what happens next, what helps, charts, exchanges, events.
import {askSafe, exchange, pathOf, positions, remove, rotate, simple} from "./actions.js";
import {confirmBy} from "./confirm.js";
import {el, setAttribute, setText} from "./dom.js";
import {chart, icon, pollBar, pollKind, setIcon, track} from "./draw.js";
import {eventList} from "./eventlist.js";
import {Flow} from "./flow.js";
import {centreNow} from "./clock.js";
import {get, on, Problem, repeat, wantMoves} from "./live.js";
import {flowWords, nextWords, pollsLabel, proofWords} from "./noderow.js";
import {lacks} from "./session.js";
import {duration, micro, milliseconds, number, reasonOf, sentence, stateName, t, time, unwellWords} from "./words.js";

const SPAN_MS = 5 * 60 * 1000; // of the charts
const EXCHANGES = 15;
const EVENTS = 100;

// --- its state ---

function headPanel(name) {
	const mark = icon("info"), state = el("strong", {class: "state-word"}), since = el("span", {class: "state-since"}), next = el("span", {class: "next"});
	const reason = el("span", {class: "reason"}), literal = el("span", {class: "need-literal", lang: "en"});
	const title = el("span", {class: "node-title"}), flow = el("p", {class: "flow"}), unwell = el("ul", {class: "unwell"});
	const head = el("p", {class: "node-state"}, mark, state, " ", since);
	const node = el("section", {class: "panel node-head", "aria-labelledby": "node-name"},
		el("p", {class: "crumb"}, el("a", {href: "#/"}, "\u2190 ", t("node.back"))),
		el("h1", {id: "node-name"}, name, " ", title), head, el("p", {class: "node-reason", role: "status"}, reason, " ", literal, " ", next), flow, unwell);
	return {
		node,
		set(n) {
			const why = reasonOf(n);
			setText(title, n.title ?? "");
			setIcon(mark, n.state);
			setAttribute(head, "class", `node-state is-${n.state}`);
			setText(state, stateName(n.state));
			setText(reason, why.text);
			setAttribute(reason, "lang", why.literal === null ? "en" : null);
			setText(literal, why.literal ? `(${why.literal})` : "");
			setUnwell(unwell, n.unwell ?? []);
		},
		tick(n, moving) {
			setText(since, t("node.since", {time: duration((centreNow() - Date.parse(n.since)) / 1000), at: time(n.since)}));
			setText(next, sentence(nextWords(n)));
			setText(flow, moving);
		},
	};
}

// Also what nothing depends on.
function setUnwell(list, all) {
	const key = JSON.stringify(all);
	if (list.dataset.key === key)
		return;
	list.dataset.key = key;
	list.replaceChildren(...all.map((u) => {
		const {head, text, literal} = unwellWords(u);
		return el("li", {class: `is-${u.level}`}, icon(u.level), el("strong", {}, head), " ", el("span", {lang: literal === null ? "en" : null}, text), " ",
			literal === null ? null : el("span", {class: "need-literal", lang: "en"}, `(${literal})`), " ",
			el("span", {class: "state-since", title: u.since}, t("unwell.since", {at: time(u.since)})));
	}));
}

function whyPanel(name) {
	const next = el("dd", {lang: "en"}), help = el("dd", {lang: "en"}), known = el("dl", {class: "known"});
	const details = el("details", {}, el("summary", {}, t("node.known")), known);
	const node = el("section", {class: "panel", "aria-label": t("node.next")},
		el("dl", {class: "outlook"}, el("dt", {}, t("node.next")), next, el("dt", {}, t("node.help")), help),
		details);
	details.addEventListener("toggle", () => load());
	async function load() {
		if (!details.open)
			return;
		const why = await get(`${pathOf(name)}/why`);
		known.replaceChildren(...why.known.flatMap((k) => [el("dt", {}, t(`topic.${k.topic}`)), el("dd", {lang: "en"}, sentence(k.text))]));
	}
	return {
		node,
		set(n) {
			setText(next, sentence(n.next));
			setText(help, n.unblock ? sentence(n.unblock) : t("node.help.none"));
			setAttribute(help, "lang", n.unblock ? "en" : null);
		},
		load,
	};
}

// --- what can be done ---

function doPanel(name, seen) {
	const said = el("p", {class: "outcome", role: "status"}), token = el("code", {class: "token", hidden: true});
	const buttons = new Map();

	async function act(verb) {
		for (const b of buttons.values())
			setAttribute(b, "disabled", true);
		setAttribute(token, "hidden", true);
		setAttribute(said, "class", "outcome");
		setText(said, verb === "rm" || verb === "rotate" ? "" : t("node.doing", {what: t(`node.${verb}`)}));
		let result;
		try {
			result = await perform(verb);
		} catch (e) {
			result = {ok: false, text: t("node.failed", {why: e.message})};
		}
		setAttribute(said, "class", `outcome ${!result ? "" : result.ok ? "is-ok" : "is-failed"}`);
		setText(said, result?.text ?? "");
		setText(token, result?.token ?? "");
		setAttribute(token, "hidden", !result?.token);
		for (const b of buttons.values())
			setAttribute(b, "disabled", false);
	}

	async function perform(verb) {
		switch (verb) {
		case "pause":
		case "resume":
			return simple(name, verb, seen);
		case "rotate":
			return await confirmBy(t("rotate.head", {name}), t("rotate.what"), t("rotate.do")) ? rotate(name) : null;
		case "rm":
			if (!await confirmBy(t("rm.head", {name}), t("rm.what"), t("rm.do"), {text: name, label: t("rm.label")}))
				return null;
			await remove(name);
			location.hash = "#/";
			return null;
		default:
			return exchange(name, verb, seen);
		}
	}

	for (const verb of ["pull", "push", "verify", "pause", "resume", "rotate", "rm"])
		buttons.set(verb, el("button", {type: "button", class: `button do-${verb}`, "data-needs": ["rotate", "rm"].includes(verb) ? "admin" : "operator", title: t(`node.${verb}.what`), onclick: () => act(verb)}, t(`node.${verb}`)));
	const safeText = el("span", {lang: "en"}), safeWord = el("strong", {});
	const safe = el("button", {type: "button", class: "button", title: t("node.safe.hint"), onclick: async () => {
		setText(safeWord, t("node.safe.asking"));
		setText(safeText, "");
		try {
			const answer = await askSafe(name);
			setText(safeWord, t(`node.safe.${answer.safe}`) + ".");
			setText(safeText, sentence(answer.text));
		} catch (e) {
			setText(safeWord, t("node.safe.null") + ".");
			setText(safeText, e.message);
		}
	}}, t("node.safe.ask"));
	return {
		node: el("section", {class: "panel do", "aria-label": t("node.do")}, el("div", {class: "buttons"}, ...buttons.values()), lacks("operator"), lacks("admin"), said, token,
			el("p", {class: "safe", "data-needs": "operator"}, t("node.safe"), " ", safe, " ", safeWord, " ", safeText)),
		set(n) {
			setAttribute(buttons.get("pause"), "hidden", n.paused === true);
			setAttribute(buttons.get("resume"), "hidden", !(n.paused || n.state === "diverged" || n.state === "identity_conflict"));
		},
	};
}

// --- charts: what was seen while the node's view was open; kept for those looked at last ---

const KEPT = 20;
const kept = new Map(); // name → samples

const whole = (v) => (Number.isInteger(v) ? number(v) : "");

function chartsPanel(name) {
	const span = (s) => (s ? duration(s) : t("chart.now"));
	const lag = chart({label: t("chart.lag"), least: 4, unit: whole, span}), old = chart({label: t("chart.age"), least: 4, unit: (v) => `${number(v)} ${t("unit.s")}`, span});
	const clock = chart({label: t("chart.clock"), least: 20, unit: (v) => micro(v), span});
	const samples = kept.get(name) ?? [];
	kept.delete(name);
	kept.set(name, samples); // the newest last
	if (kept.size > KEPT)
		kept.delete(kept.keys().next().value);
	lag.node.firstChild.append(el("span", {class: "legend legend-pull"}, t("chart.pull")), el("span", {class: "legend legend-push"}, t("chart.push")));
	clock.node.firstChild.append(el("span", {class: "legend legend-band"}, t("chart.band")));
	return {
		node: el("section", {class: "panel charts", "aria-label": t("chart.head"), title: t("chart.since")}, lag.node, old.node, clock.node),
		add(n) {
			const at = performance.now();
			samples.push({at, pull: n.backlog?.pull ?? null, push: n.backlog?.push ?? null,
				old: n.backlog?.oldest_s ?? (n.backlog?.pull === 0 && n.backlog?.push === 0 ? 0 : null), offset: n.clock?.offset_us ?? null, error: n.clock?.error_us ?? null});
			if (samples.length > 1 && at - samples.at(-2).at > 5000)
				samples.splice(-1, 0, {at: at - 1, pull: null, push: null, old: null, offset: null, error: null}); // not seen meanwhile
			while (samples[0].at < at - SPAN_MS)
				samples.shift();
			const from = Math.min(samples[0].at, at - 30000);
			const series = (name, of, band) => ({name, points: samples.map((s) => ({at: s.at, value: of(s), band: band?.(s) ?? null}))});
			const spoken = (label, value) => t("chart.spoken", {label: t(label), value});
			lag.set([series("pull", (s) => s.pull), series("push", (s) => s.push)], from, at, spoken("chart.lag", `${number(samples.at(-1).pull)} / ${number(samples.at(-1).push)}`));
			old.set([series("pull", (s) => s.old)], from, at, spoken("chart.age", duration(samples.at(-1).old)));
			clock.set([series("clock", (s) => s.offset, (s) => s.error)], from, at, spoken("chart.clock", micro(samples.at(-1).offset)));
		},
	};
}

// --- positions, facts, exchanges ---

function trackPanel() {
	const box = el("div", {class: "track-box"});
	return {
		node: el("section", {class: "panel", "aria-labelledby": "track-head"}, el("h2", {id: "track-head"}, t("track.head")), box),
		set(n) {
			const marks = positions(n);
			const key = marks.map((m) => m.value).join();
			if (box.dataset.key === key)
				return;
			box.dataset.key = key;
			box.replaceChildren(el("dl", {class: "track-words"}, ...marks.flatMap((m) => [el("dt", {}, m.label), el("dd", {}, m.text)])),
				track(marks, marks.map((m) => `${m.label}: ${m.text}`).join(", ")));
		},
	};
}

function factsPanel(name) {
	const keys = ["url", "version", "records", "proof", "clock", "polls", "last_ms", "epoch"];
	const values = Object.fromEntries(keys.map((k) => [k, el("dd", {})]));
	const node = el("section", {class: "panel facts-panel"}, el("dl", {class: "facts"}, ...keys.flatMap((k) => [el("dt", {}, t(`fact.${k}`)), values[k]])),
		el("p", {}, ...["", "/why", "/safe"].flatMap((p) => [el("a", {class: "raw", href: pathOf(name) + p, target: "_blank", rel: "noopener"}, `JSON${p}`), " "])));
	return {
		node,
		set(n, provenAt) {
			setText(values.url, n.url);
			setText(values.version, n.version ?? t("unknown"));
			setText(values.records, number(n.records));
			setText(values.proof, proofWords(n.proof, provenAt));
			const c = n.clock ?? {};
			const kept = c.synchronised == null ? t("unknown") : c.synchronised ? t("fact.kept", {source: c.source ?? "?", error: micro(c.own_error_us, false)}) : t("fact.free");
			setText(values.clock, `${micro(c.offset_us)} \u00B1 ${micro(c.error_us, false)}; ${kept}`);
			setAttribute(values.clock, "title", [c.reason, c.keeper].filter(Boolean).join("\n") || null);
			setText(values.polls, t("fact.polls.value", {ok: n.polls?.ok, failed: n.polls?.failed}));
			setText(values.last_ms, milliseconds(n.polls?.last_ms));
			setText(values.epoch, n.epoch ? n.epoch.slice(0, 8) : t("unknown"));
			setAttribute(values.epoch, "title", n.epoch);
		},
	};
}

function exchangesPanel() {
	const bar = pollBar(), body = el("tbody", {});
	const columns = ["at", "result", "ms", "pulled", "pushed"];
	return {
		node: el("section", {class: "panel", "aria-labelledby": "exchanges-head"}, el("h2", {id: "exchanges-head"}, t("exchanges.head")), bar.node,
			el("table", {class: "exchanges"}, el("thead", {}, el("tr", {}, ...columns.map((c) => el("th", {scope: "col", class: `cell-${c}`}, t(`exchanges.${c}`))))), body)),
		set(history) {
			bar.set(history, pollsLabel(history));
			const rows = history.slice(-EXCHANGES).reverse();
			while (body.children.length < rows.length)
				body.append(el("tr", {}, ...columns.map((c) => el("td", {class: `cell-${c}`}))));
			while (body.children.length > rows.length)
				body.lastChild.remove();
			rows.forEach((p, i) => {
				const row = body.children[i];
				setAttribute(row, "class", `is-${pollKind(p)}`);
				[time(p.at), t(`result.${p.result}`), milliseconds(p.ms), number(p.pulled), number(p.pushed)].forEach((text, k) => setText(row.children[k], text));
				setAttribute(row.children[0], "title", p.at);
			});
		},
	};
}

// --- the view ---

export function open(outlet, [name]) {
	let node = null, provenAt = null, moving = "", events = [];
	const flow = new Flow();
	const head = headPanel(name), why = whyPanel(name), charts = chartsPanel(name), where = trackPanel(), facts = factsPanel(name), exchanges = exchangesPanel();
	const buttons = doPanel(name, (n) => take(n));
	const list = eventList(t("events.head"));
	const none = el("p", {class: "none", role: "alert"});
	const body = el("div", {class: "node-view"}, head.node, why.node, buttons.node, charts.node, where.node, facts.node, exchanges.node,
		el("section", {class: "panel", "aria-labelledby": "node-events"}, el("div", {class: "panel-head"}, el("h2", {id: "node-events"}, t("events.head")),
			el("a", {class: "raw", href: `#/events?node=${encodeURIComponent(name)}`}, t("events.older"))), list.node));
	outlet.append(el("div", {class: "view"}, none, body));
	wantMoves(true);

	function take(n) {
		node = n;
		provenAt = n.proof?.age_s == null ? null : performance.now() - n.proof.age_s * 1000;
		const f = flow.take(n);
		moving = ["pull", "push"].filter((w) => f[w].waiting).map((w) => `${t(`sum.${w}`)}: ${[number(f[w].waiting), flowWords(f[w])].filter(Boolean).join(" · ")}`).join("; ");
		for (const p of [head, why, buttons, where])
			p.set(n);
		exchanges.set(n.polls?.history ?? []);
		charts.add(n);
		tick();
	}

	function tick() {
		if (!node)
			return;
		head.tick(node, moving);
		facts.set(node, provenAt);
	}

	const load = repeat(1000, async () => {
		try {
			take(await get(pathOf(name)));
			setText(none, "");
			setAttribute(body, "hidden", false);
			await why.load();
		} catch (e) {
			if (!(e instanceof Problem) || e.status !== 404)
				throw e;
			setText(none, t("node.missing", {name}));
			setAttribute(body, "hidden", true);
		}
	});
	const history = repeat(3600000, async () => {
		const found = (await get(`/v1/events?node=${encodeURIComponent(name)}&limit=${EVENTS}`)).events;
		events = [...found, ...events.filter((e) => !found.length || e.id > found.at(-1).id)];
		list.set(events, EVENTS);
	});
	const off = [on("changed", (names) => (names === null || names.includes(name)) && load.kick()), on("events", (found) => {
		const mine = found.filter((e) => e.node === name && (!events.length || e.id > events.at(-1).id));
		if (mine.length) {
			events = [...events, ...mine].slice(-1000);
			list.set(events, EVENTS);
		}
	})];
	return {
		title: name,
		tick,
		close() {
			load.stop();
			history.stop();
			off.forEach((f) => f());
		},
	};
}
