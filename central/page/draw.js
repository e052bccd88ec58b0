// draw - pictures: the shape of a state, a bar of polls, progress, charts. SVG by hand; all of it is updated in place.
import {el, setAttribute, svg} from "./dom.js";
import {short} from "./words.js";

// One shape a state, so that none is told by its colour alone. Drawn in 16 × 16.
const shapes = {
	in_sync: "M3 6h10M3 10h10",
	catching_up: "M8 13V3.5M4 7l4-4 4 4",
	reconciling: "M2.5 6h9L9 3.5M13.5 10h-9l2.5 2.5",
	offline: "M4 4l8 8M12 4l-8 8",
	paused: "M5.5 3.5v9M10.5 3.5v9",
	never_seen: "M5.5 6a2.5 2.5 0 1 1 3.8 2.2Q8 9 8 10M8 12.6v.4",
	diverged: "M3 6h10M3 10h10M10.5 3l-5 10",
	identity_conflict: "M6 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7M10 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 1 1 0-7",
	incompatible: "M8 3v6.5M8 12.6v.4",
	warn: "M8 3v6.5M8 12.6v.4",
	error: "M4 4l8 8M12 4l-8 8",
	info: "M8 7v6M8 3.6v.4",
	debug: "M8 7.8v.4",
};

export function icon(name) {
	const path = svg("path", {d: shapes[name]});
	return svg("svg", {class: `icon is-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true"}, path);
}

export function setIcon(node, name) {
	setAttribute(node, "class", `icon is-${name}`);
	setAttribute(node.firstChild, "d", shapes[name] ?? shapes.info);
}

// --- the last polls ---

const POLLS = 60, STEP = 3, HEIGHT = 20;

// Idle polls are low, those that moved records high, failed ones full and struck through by their colour; before the
// first one there is only the ground.
export function pollBar() {
	const idle = svg("path", {class: "poll-idle"}), moved = svg("path", {class: "poll-moved"}), failed = svg("path", {class: "poll-failed"});
	const ground = svg("path", {class: "poll-ground", d: `M0 ${HEIGHT - 0.5}h${POLLS * STEP}`});
	const node = svg("svg", {class: "polls", viewBox: `0 0 ${POLLS * STEP} ${HEIGHT}`, preserveAspectRatio: "none", role: "img"},
		ground, idle, moved, failed);
	return {
		node,
		set(history, label) {
			const d = {idle: "", moved: "", failed: ""};
			const from = POLLS - Math.min(history.length, POLLS);
			history.slice(-POLLS).forEach((p, i) => {
				const kind = pollKind(p);
				const height = kind === "idle" ? 7 : kind === "moved" ? 13 : HEIGHT;
				d[kind] += `M${(from + i) * STEP + 1} ${HEIGHT}v-${height}`;
			});
			setAttribute(idle, "d", d.idle);
			setAttribute(moved, "d", d.moved);
			setAttribute(failed, "d", d.failed);
			setAttribute(node, "aria-label", label);
		},
	};
}

// An epoch that changed is news, not a failure: the exchange worked.
export function pollKind(poll) {
	if (poll.result !== "ok" && poll.result !== "epoch" && poll.result !== "stale")
		return "failed";
	return poll.pulled > 0 || poll.pushed > 0 ? "moved" : "idle";
}

// --- progress ---

export function progress() {
	const bar = svg("rect", {class: "progress-done", height: 4, width: 0, rx: 1});
	const node = svg("svg", {class: "progress", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true"},
		svg("rect", {class: "progress-all", width: 100, height: 4, rx: 1}), bar);
	return {node, set: (part) => setAttribute(bar, "width", Math.round(Math.min(1, Math.max(0, part)) * 100))};
}

// --- charts ---

const WIDTH = 360, TALL = 110, LEFT = 46, BOTTOM = 16, TOP = 8;

// The first step of 1, 2, 5 × 10^k that divides the range into at most `n` parts.
function stepFor(range, n) {
	const raw = range / n, power = 10 ** Math.floor(Math.log10(raw));
	return [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
}

function extent(values, least) {
	let low = Math.min(0, ...values), high = Math.max(0, ...values);
	if (high - low < least)
		high = low < 0 && high === 0 ? 0 : low + least, low = high - least < low ? high - least : low;
	const step = stepFor(high - low, 3);
	return {low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step, step};
}

// Lines over time, each with an optional band around it. A value of null is a gap: nothing was known.
// options: {label, unit(value) → text of the axis, least: the smallest range that is shown}
export function chart(options) {
	const grid = svg("g", {class: "chart-grid"}), data = svg("g", {class: "chart-data"});
	const picture = svg("svg", {class: "chart", viewBox: `0 0 ${WIDTH} ${TALL}`, role: "img"}, grid, data);
	const node = el("figure", {class: "chart-box"}, el("figcaption", {}, options.label), picture);

	// series: [{name, points: [{at, value, band}]}]; at in ms.
	function set(series, from, to, spoken) {
		const values = series.flatMap((s) => s.points.flatMap((p) =>
			(p.value == null ? [] : p.band == null ? [p.value] : [p.value - p.band, p.value + p.band])));
		const range = extent(values, options.least ?? 1);
		const x = (at) => (LEFT + (at - from) / (to - from) * (WIDTH - LEFT - 4)).toFixed(1);
		const y = (v) => (TOP + (range.high - v) / (range.high - range.low) * (TALL - TOP - BOTTOM)).toFixed(1);
		setGrid(grid, range, y, options.unit ?? short);
		setTimes(grid, from, to, options.span);
		data.replaceChildren(...series.flatMap((s) => [
			...(s.points.some((p) => p.band != null) ? [svg("path", {class: `band line-${s.name}`, d: bandPath(s.points, x, y)})] : []),
			svg("path", {class: `line line-${s.name}`, d: linePath(s.points, x, y)}),
		]));
		setAttribute(picture, "aria-label", spoken);
	}
	return {node, set};
}

function setGrid(grid, range, y, unit) {
	const lines = [];
	for (let v = range.low; v <= range.high + range.step / 2; v += range.step) {
		const value = Math.abs(v) < range.step / 1e6 ? 0 : v;
		lines.push(svg("path", {class: value === 0 ? "zero" : null, d: `M${LEFT} ${y(value)}H${WIDTH - 4}`}),
			svg("text", {x: LEFT - 5, y: Number(y(value)) + 3, "text-anchor": "end"}, unit(value)));
	}
	grid.replaceChildren(...lines);
}

function setTimes(grid, from, to, span) {
	const y = TALL - 4;
	grid.append(svg("text", {x: LEFT, y, "text-anchor": "start"}, `\u2212${span((to - from) / 1000)}`),
		svg("text", {x: WIDTH - 4, y, "text-anchor": "end"}, span(0)));
}

function runs(points) {
	const all = [[]];
	for (const p of points) {
		if (p.value == null)
			all.push([]);
		else
			all.at(-1).push(p);
	}
	return all.filter((r) => r.length);
}

function linePath(points, x, y) {
	return runs(points).map((run) => {
		const path = run.map((p, i) => `${i ? "L" : "M"}${x(p.at)} ${y(p.value)}`).join("");
		return run.length === 1 ? path + "h1.5" : path;
	}).join("");
}

function bandPath(points, x, y) {
	return runs(points).map((run) => {
		const edge = (p, sign) => `${x(p.at)} ${y(p.value + sign * (p.band ?? 0))}`;
		return "M" + run.map((p) => edge(p, 1)).join("L") + "L" + run.toReversed().map((p) => edge(p, -1)).join("L") + "Z";
	}).join("");
}

// --- positions in a log ---

// How far the parts of a log reach: [{name, value, text}], the farthest is the whole width.
export function track(marks, label) {
	const most = Math.max(1, ...marks.map((m) => m.value ?? 0));
	const lines = marks.map((m, i) => {
		const y = 10 + i * 18, width = 300 * (m.value ?? 0) / most;
		return svg("g", {class: `track-${m.name}`}, svg("path", {class: "track-all", d: `M0 ${y}h300`}),
			m.value == null ? null : svg("path", {class: "track-done", d: `M0 ${y}h${width.toFixed(1)}M${width.toFixed(1)} ${y - 5}v10`}));
	});
	return svg("svg", {class: "track", viewBox: `-1 0 302 ${marks.length * 18 + 2}`, preserveAspectRatio: "none", role: "img", "aria-label": label}, ...lines);
}
