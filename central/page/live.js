// live - the one place that asks the centre. It follows the stream of events; where there is none it polls; where nothing
// comes at all it says since when, and tries again by itself.
//
// mode: "start"   nothing was heard yet
//       "stream"  events come as they happen
//       "poll"    no stream, but every question is answered
//       "lost"    no answer: what is shown is old
//       "signin"  the centre wants to know who asks

import {learnTime} from "./clock.js";
import {parse} from "./sse.js";

const STATUS_EVERY_MS = 2000; // without a stream
const SILENT_MS = 12000; // the stream says something at least every 5 s
const ANSWER_MS = 15000; // the longest wait for an answer
const AGAIN_LEAST_MS = 1000, AGAIN_MOST_MS = 8000; // a centre that is gone; it may be back any moment
const STREAM_LEAST_MS = 1000, STREAM_MOST_MS = 30000;
const STATUS_LATE_S = 5; // the stream's status may be older than an answer before it
const EVENTS_KEPT = 500;
const TOGETHER_MS = 250; // events of a busy centre are told in bundles

const listeners = new Map();
const repeats = new Set();

export const live = {
	mode: "start",
	status: null,
	who: null, // as /v1/session says: {name, role, by, expires_at}; null = not known, or nobody
	events: [], // the newest, by rising id
	moves: false, // with those that only moved records? A busy centre has many more of them than of all others
	heardAt: null, // performance.now() of the last answer
	againAt: null, // performance.now() of the next attempt while lost
	failure: "", // why nothing is heard
};

let streaming = null; // AbortController of the stream
let lastEvent = null; // id
let following = false; // the stream, or about to
let tries = 0;
let choosing = null; // a promise, while they are asked for
let anew = false; // the stream is to begin again, with other events
let retryNow = null;

// --- who wants to know ---

// kinds: "status", "who", "events" (those that are new), "changed" (names of nodes, or null: any may be), "mode"
export function on(kind, fn) {
	if (!listeners.has(kind))
		listeners.set(kind, new Set());
	listeners.get(kind).add(fn);
	return () => listeners.get(kind).delete(fn);
}

function tell(kind, value) {
	for (const fn of listeners.get(kind) ?? [])
		fn(value);
}

function setMode(mode) {
	if (live.mode === mode)
		return;
	live.mode = mode;
	tell("mode", mode);
	if (mode === "stream" || mode === "poll")
		for (const r of repeats)
			r.kick();
}

// --- its age ---

export function ageOfData() {
	return live.heardAt == null ? null : (performance.now() - live.heardAt) / 1000;
}

function heard() {
	live.heardAt = performance.now();
}

// --- one question ---

export class Problem extends Error {
	constructor(status, body, retryAfter) {
		super(body?.detail ?? body?.title ?? `HTTP ${status}`);
		this.status = status;
		this.code = body?.code ?? null;
		this.body = body ?? {};
		this.retryAfter = Number(retryAfter) || null; // seconds
	}
}

// → {value, text}: the answer, and as it was written. Throws a Problem for a refusal, anything else where nothing was heard.
export async function askText(method, path, body, headers) {
	const sentAt = Date.now();
	const response = await fetch(path, {method, body, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS),
		headers: {Accept: "application/json", ...(body ? {"Content-Type": "application/json"} : {}), ...headers}});
	learnTime(response, sentAt);
	const text = await response.text();
	let value = null;
	try {
		value = JSON.parse(text);
	} catch { // the words of a proxy between
	}
	noteRefusal(response.status, value);
	if (!response.ok)
		throw new Problem(response.status, value, response.headers.get("retry-after"));
	if (value === null)
		throw new TypeError("not JSON");
	heard();
	return {value, text};
}

export const ask = async (...question) => (await askText(...question)).value;
export const get = (path) => ask("GET", path);

// --- who asks ---

function setWho(who) {
	if (JSON.stringify(who) === JSON.stringify(live.who))
		return;
	live.who = who;
	tell("who", who);
}

export async function askWho() {
	setWho(await get("/v1/session"));
}

// A cookie that was good once, shown too often, is 429 and no longer 401: it is the same. A role that is another than was known: somebody
// signed in as somebody else, in another tab.
function noteRefusal(status, body) {
	if (status === 401 || (status === 429 && live.who === null))
		signedOut();
	else if (status === 403 && body?.has && body.has !== live.who?.role)
		askWho().catch(noteFailure);
}

function signedOut() {
	setWho(null);
	streaming?.abort();
	setMode("signin");
}

// Somebody signed in: everything is asked for anew, and what is shown stays where it is.
export function startAnew() {
	setMode("start");
	start();
}

// --- what is asked again and again ---

// Runs fn (async) every `ms` while the page is seen and the centre answers, and at once when kicked. An answer that takes
// long makes it rarer: at most an eighth of the time is spent with it.
export function repeat(ms, fn) {
	let timer = null, running = false, again = false, stopped = false;
	async function run() {
		clearTimeout(timer);
		if (running) {
			again = true;
			return;
		}
		if (stopped || document.hidden || live.mode === "lost" || live.mode === "signin")
			return;
		running = true;
		const began = performance.now();
		try {
			await fn();
		} catch (e) {
			noteFailure(e);
		}
		running = false;
		if (stopped)
			return;
		const took = performance.now() - began;
		timer = setTimeout(run, again ? Math.max(200, took) : Math.max(ms, 8 * took));
		again = false;
	}
	const me = {
		kick: run,
		stop() {
			stopped = true;
			clearTimeout(timer);
			repeats.delete(me);
		},
	};
	repeats.add(me);
	run();
	return me;
}

document.addEventListener("visibilitychange", () => {
	if (document.hidden) {
		streaming?.abort(); // a browser has six connections to a centre, for all of its tabs
		return;
	}
	askWho().then(() => live.mode === "signin" && startAnew(), noteFailure); // another tab has the same cookie
	follow();
	for (const r of repeats)
		r.kick();
});

// A refusal is an answer: only silence means that the centre is gone.
function noteFailure(error) {
	if (error instanceof Problem || live.mode === "signin")
		return;
	lose(error);
}

function lose(error) {
	live.failure = String(error?.message ?? error);
	const was = live.mode;
	setMode("lost");
	streaming?.abort();
	if (was !== "lost")
		recover();
}

// --- how it goes on ---

const pause = (ms) => new Promise((done) => {
	const timer = setTimeout(done, ms);
	retryNow = () => {
		clearTimeout(timer);
		done();
	};
});

export function tryNow() {
	retryNow?.();
}

const chance = (ms) => ms * (0.75 + Math.random() / 2);

export async function askStatus() {
	takeStatus(await get("/v1/status"));
}

// A centre that started anew may have another store, where events begin elsewhere.
function takeStatus(status) {
	if (live.status && status.uptime_s < live.status.uptime_s - STATUS_LATE_S)
		forgetEvents();
	live.status = status;
	tell("status", status);
}

function forgetEvents() {
	lastEvent = null;
	live.events = [];
	bundle = [];
}

async function refresh() {
	await askStatus();
	await catchUp();
}

// What happened since the last event that is known; the newest ones at first.
async function catchUp() {
	const newest = `/v1/events?moves=${live.moves}&limit=200`;
	const found = (await get(lastEvent ? `${newest}&after=${lastEvent}` : newest)).events;
	takeEvents(found);
	if (found.length === 200)
		takeEvents((await get(newest)).events); // there may be more: go on with the newest
	tellBundle();
}

function takeEvents(found) {
	const fresh = found.filter((e) => lastEvent == null || e.id > lastEvent);
	if (!fresh.length)
		return;
	lastEvent = fresh.at(-1).id;
	bundle.push(...fresh);
	bundling ??= setTimeout(tellBundle, Math.max(0, TOGETHER_MS - (performance.now() - toldAt)));
}

let bundle = [], bundling = null, toldAt = -Infinity;

function tellBundle() {
	const fresh = bundle;
	clearTimeout(bundling);
	bundle = [];
	bundling = null;
	if (!fresh.length)
		return;
	toldAt = performance.now();
	live.events = [...live.events, ...fresh].slice(-EVENTS_KEPT);
	tell("events", fresh);
	const names = fresh.filter((e) => e.node && e.kind.startsWith("node.")).map((e) => e.node);
	if (names.length && live.mode === "poll") // a stream says so itself
		tell("changed", names);
}

async function recover() {
	let wait = AGAIN_LEAST_MS;
	while (live.mode === "lost" || live.mode === "start") {
		try {
			await askWho();
			await refresh();
			setMode("poll");
			follow();
			return;
		} catch (e) {
			if (live.mode === "signin")
				return;
			live.failure = String(e?.message ?? e);
			live.mode === "lost" || setMode("lost");
		}
		const ms = chance(wait);
		live.againAt = performance.now() + ms;
		await pause(ms);
		live.againAt = null;
		wait = Math.min(2 * wait, AGAIN_MOST_MS);
	}
}

export function start() {
	tries = 0;
	recover();
}

// Without a stream: asks for the same by turns.
const polling = repeat(STATUS_EVERY_MS, async () => {
	if (live.mode === "poll")
		await refresh();
});

// --- the stream ---

// Connects and reads until it ends, then again, for as long as the centre answers.
async function follow() {
	if (following)
		return;
	following = true;
	while ((live.mode === "poll" || live.mode === "stream") && !document.hidden) {
		if (anew || choosing)
			await otherEvents();
		const mine = streaming = new AbortController();
		try {
			await read(mine);
		} catch { // it ended, or there is none: the next question tells whether the centre is there
		}
		streaming = null;
		if (anew)
			continue;
		if (live.mode === "lost" || live.mode === "signin")
			break;
		setMode("poll");
		polling.kick();
		tries++;
		await new Promise((done) => setTimeout(done, chance(Math.min(STREAM_LEAST_MS * 2 ** (tries - 1), STREAM_MOST_MS))));
	}
	following = false;
}

// Which events a view shows: asked for anew when they are others than before.
export function wantMoves(wanted) {
	if (live.moves === wanted)
		return;
	live.moves = wanted;
	anew = true;
	if (streaming)
		streaming.abort();
	else if (!following)
		otherEvents();
}

// One at a time; whoever asks meanwhile gets the same.
function otherEvents() {
	return choosing ??= chooseEvents().finally(() => (choosing = null));
}

// What is known is replaced only by an answer: nothing that came meanwhile is passed over.
async function chooseEvents() {
	let moves;
	do { // until nobody chose others meanwhile
		moves = live.moves;
		anew = false;
		try {
			const found = (await get(`/v1/events?moves=${moves}&limit=200`)).events;
			bundle = [];
			live.events = found;
			lastEvent = found.at(-1)?.id ?? null;
		} catch (e) {
			noteFailure(e);
		}
	} while (moves !== live.moves);
	tell("events", live.events);
}

async function read(control) {
	const from = lastEvent ? `&after=${lastEvent}` : "";
	const response = await fetch(`/v1/events/stream?moves=${live.moves}${from}`, {signal: control.signal, cache: "no-store",
		headers: {Accept: "text/event-stream"}});
	noteRefusal(response.status, null);
	if (!response.ok || !response.headers.get("content-type")?.startsWith("text/event-stream"))
		throw new Problem(response.status, null);
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "", watchdog = null;
	try {
		for (;;) {
			watchdog = setTimeout(() => control.abort(), SILENT_MS);
			const {value, done} = await reader.read();
			clearTimeout(watchdog);
			if (done)
				return;
			tries = 0;
			heard();
			setMode("stream");
			const blocks = (rest + value).split(/\r?\n\r?\n/);
			rest = blocks.pop();
			take(blocks.map(parse));
		}
	} finally {
		clearTimeout(watchdog);
	}
}

function take(messages) {
	const found = [];
	for (const {event, data} of messages) {
		if (!data)
			continue;
		const value = JSON.parse(data);
		if (event === "event")
			found.push(value);
		else if (event === "status")
			takeStatus(value);
		else if (event === "nodes")
			tell("changed", value.all ? null : value.nodes);
		else if (event === "gap" && value.next <= lastEvent)
			forgetEvents(); // an older copy of the store took its place
	}
	takeEvents(found);
}
