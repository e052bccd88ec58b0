// versions - what is said of one version of a record: who wrote it and when, its hash, its bytes.
import {el} from "./dom.js";
import {bytes} from "./json.js";
import {micro, number, t, time} from "./words.js";

export const sizeWords = (text) => t("record.bytes", {n: bytes(text)});

// Bit 62 of an actor is set in a centre's.
function writer(dot) {
	const [actor, n] = dot.split(".");
	return t(parseInt(actor[0], 16) & 4 ? "record.dot.centre" : "record.dot.node", {n: number(Number(n)), actor});
}

// Pairs of dt and dd.
export function factsOf(record) {
	const at = (iso) => el("time", {datetime: iso, title: iso}, time(iso));
	const clock = record.clock_error_us == null ? t("record.unsynchronised") : `\u00b1 ${micro(record.clock_error_us, false)}`;
	return [
		["record.type", record.type],
		["record.created", at(record.created_at)],
		["record.updated", el("span", {}, at(record.updated_at), ` (${clock})`)],
		["record.dot", writer(record.dot)],
		["record.hash", el("code", {}, record.hash)],
	].flatMap(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)]);
}
