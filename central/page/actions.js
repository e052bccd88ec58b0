// actions - what the buttons of a node do: the same calls as the CLI's commands, waited for until they are done.
import {ask, get} from "./live.js";
import {duration, number, t} from "./words.js";

const PATIENCE_MS = 60000, LOOK_MS = 300;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export const pathOf = (name) => `/v1/nodes/${encodeURIComponent(name)}`;

// Asked for and proven by an exchange that began afterwards: only then is it done.
function isDone(verb, node, begun) {
	const proven = node.proof?.equal != null && node.proof.poll > begun;
	return verb === "verify" ? node.counted?.poll > begun && proven : proven;
}

function outcome(verb, node) {
	if (verb === "verify" && node.counted.damaged > 0)
		return {ok: false, text: t("node.done.verify.damaged", {n: node.counted.damaged, first: node.counted.first})};
	if (node.proof.equal === false)
		return {ok: false, text: t("node.failed", {why: node.reason})};
	return {ok: true, text: t(`node.done.${verb}`, {seq: node.proof.seq})};
}

// pull, push, verify: {ok, text}. `seen` gets the node while it is waited for.
export async function exchange(name, verb, seen) {
	const {begun} = (await get(pathOf(name))).polls; // before: what is asked for may have begun when the answer comes
	await ask("POST", `${pathOf(name)}/${verb}`);
	const until = performance.now() + PATIENCE_MS;
	for (;;) {
		await pause(LOOK_MS);
		const node = await get(pathOf(name));
		seen(node);
		if (isDone(verb, node, begun))
			return outcome(verb, node);
		const stuck = !["in_sync", "catching_up", "reconciling"].includes(node.state) && node.polls.begun > begun;
		if (stuck)
			return {ok: false, text: t("node.failed", {why: node.reason})};
		if (performance.now() > until)
			return {ok: false, text: t("node.waiting", {time: duration(PATIENCE_MS / 1000), why: node.reason})};
	}
}

export async function simple(name, verb, seen) {
	seen(await ask("POST", `${pathOf(name)}/${verb}`));
	return {ok: true, text: t(`node.done.${verb}`)};
}

export async function rotate(name) {
	const {token} = await ask("POST", `${pathOf(name)}/rotate`);
	return token ? {ok: true, text: t("node.token"), token} : {ok: false, text: t("node.token.none")};
}

export const remove = (name) => ask("DELETE", pathOf(name));

// May it be reimaged? Asks the node, then waits for a proof that began after the question.
export async function askSafe(name) {
	let answer = await get(`${pathOf(name)}/safe`);
	const since = answer.polls_begun, until = performance.now() + 15000;
	await ask("POST", `${pathOf(name)}/pull`);
	while (answer.pending && performance.now() < until) {
		await pause(LOOK_MS);
		answer = await get(`${pathOf(name)}/safe?since=${since}`);
	}
	if (answer.safe !== true)
		return answer;
	await pause(1500); // a node that is written to is not safe
	return get(`${pathOf(name)}/safe?since=${since}&position=${answer.position}`);
}

export function positions(node) {
	const acknowledged = node.acknowledged?.seq ?? null;
	return [
		{name: "head", value: node.head_seq, label: t("track.head_seq")},
		{name: "cursor", value: node.cursor, label: t("track.cursor")},
		...(acknowledged === null ? [] : [{name: "acknowledged", value: acknowledged, label: t("track.acknowledged")}]),
		{name: "proven", value: node.proof?.equal ? node.proof.seq : null, label: t("track.proven")},
	].map((p) => ({...p, text: number(p.value)}));
}
