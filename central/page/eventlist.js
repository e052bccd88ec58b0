// eventlist - what happened, newest first. Exchanges that only moved records are many: those of one node within a while
// share a line.
import {states} from "./attention.js";
import {el, setAttribute, setChildren, setText} from "./dom.js";
import {icon, setIcon} from "./draw.js";
import {kindName, stateName, t, time, whoName} from "./words.js";

const TOGETHER_MS = 10000;

function movesRecords(event) {
	return event.kind === "pulled" || event.kind === "pushed";
}

// A change of state says "offline (was in_sync): why": shown by the state's own shape and words.
function changeOf(event) {
	const m = event.kind === "node.state" && /^([a-z_]+) \(was ([a-z_]+)\): (.*)$/s.exec(event.text ?? "");
	return m && states.includes(m[1]) ? {state: m[1], was: m[2], why: m[3]} : null;
}

// events by rising id → lines, newest first: [{key, event (the newest), n}]
export function linesOf(events, most) {
	const lines = [], open = new Map();
	for (let i = events.length - 1; i >= 0 && lines.length < most; i--) {
		const event = events[i], key = `${event.node} ${event.kind}`;
		const line = movesRecords(event) ? open.get(key) : null;
		if (line && Date.parse(line.event.at) - Date.parse(event.at) < TOGETHER_MS) {
			line.n++;
			line.oldest = event.id;
			continue;
		}
		const fresh = {event, n: 1, oldest: event.id};
		if (movesRecords(event))
			open.set(key, fresh);
		lines.push(fresh);
	}
	for (const line of lines)
		line.key = line.n > 1 ? `${line.event.node} ${line.event.kind} ${line.oldest}` : line.event.id;
	return lines;
}

const SHOWN = 300; // characters of a value
const show = (value) => JSON.stringify(value).slice(0, SHOWN);

// What a person changed: of each member that differs, what it was and what it is. What is nothing is null.
function changesOf({before, after}) {
	return [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
		.map((member) => ({member, was: show(before?.[member] ?? null), is: show(after?.[member] ?? null)})).filter(({was, is}) => was !== is)
		.map(({member, was, is}) => el("span", {class: "change"}, el("span", {class: "change-member"}, `${member}: `),
			before === null ? null : el("del", {}, was), before === null || after === null ? null : " \u2192 ", after === null ? null : el("ins", {}, is)));
}

// Who did it leads to all that they did.
function author(event) {
	return el("a", {class: "event-who", href: `#/events?${new URLSearchParams({only: "people", who: event.who})}`,
		title: event.address ? t("events.from", {name: event.who, address: event.address}) : event.who}, whoName(event.who));
}

function newRow({event: made}) {
	const at = el("time", {class: "event-at"}), shape = icon("info"), node = el("a", {class: "event-node"});
	const kind = el("span", {class: "event-kind"}), text = el("span", {class: "event-text", lang: "en"});
	const times = el("span", {class: "event-times"}), was = el("span", {class: "event-was"}), by = el("span", {class: "event-by"}), changes = el("span", {class: "event-changes", lang: "en"});
	const row = el("li", {class: "event"}, at, shape, node, kind, el("span", {class: "event-what"}, by, was, text, times, changes));
	if (made.who != null) {
		by.append(author(made)); // such a line is one event, which stays as it is
		changes.append(...changesOf(made));
	}
	return {
		row,
		set({event, n}) {
			setText(at, time(event.at));
			setAttribute(at, "datetime", event.at);
			setAttribute(at, "title", event.at);
			const change = changeOf(event);
			setIcon(shape, change?.state ?? event.level);
			setAttribute(row, "class", `event level-${event.level}${movesRecords(event) ? " is-data" : ""}`);
			setText(node, event.node ?? "");
			setAttribute(node, "href", event.node ? `#/node/${encodeURIComponent(event.node)}` : null);
			setText(kind, change ? stateName(change.state) : kindName(event.kind));
			setAttribute(kind, "title", event.kind);
			setText(was, change ? t("events.was", {state: stateName(change.was).toLowerCase()}) : "");
			setText(text, change?.why ?? event.text ?? "");
			setAttribute(text, "title", event.text);
			setText(times, n > 1 ? t("events.times", {n}) : "");
		},
	};
}

export function eventList(label) {
	const node = el("ol", {class: "events", "aria-label": label});
	let rows = new Map();
	return {
		node,
		set(events, most) {
			const kept = new Map();
			for (const line of linesOf(events, most)) {
				const row = rows.get(line.key) ?? newRow(line);
				row.set(line);
				kept.set(line.key, row);
			}
			rows = kept;
			setChildren(node, [...kept.values()].map((r) => r.row));
		},
	};
}
