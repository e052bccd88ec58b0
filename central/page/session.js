// session - signing in and out, and what a role may do. The session is a cookie that no script can read: nothing of a token, or of
// who asks, is kept by the page.
import {el} from "./dom.js";
import {ask, askWho, Problem, startAnew} from "./live.js";
import {t} from "./words.js";

// → null: signed in, and everything goes on; else why not: {why: "wrong" | "wait" | "cookie" | "refused" | "away", text, seconds}
export async function signIn(token) {
	try {
		await ask("POST", "/v1/session", JSON.stringify({token}));
	} catch (e) {
		if (e.status !== 409) // it asks nobody any more
			return refusalOf(e);
	}
	try {
		await askWho();
	} catch (e) {
		return e.status === 401 ? {why: "cookie"} : refusalOf(e);
	}
	startAnew();
	return null;
}

function refusalOf(error) {
	if (!(error instanceof Problem))
		return {why: "away", text: error.message};
	if (error.status === 429)
		return {why: "wait", seconds: error.retryAfter ?? 1};
	return {why: error.status === 401 ? "wrong" : "refused", text: error.message};
}

// The page is loaded anew, at the same place: nothing that was seen is left in it.
export async function signOut() {
	await ask("DELETE", "/v1/session");
	location.reload();
}

// An element with data-needs="operator" or "admin" is there for whom that role is given (style.css). For all others this sentence is.
export function lacks(role) {
	return el("p", {class: "lacks", "data-lacks": role}, t(`lacks.${role}`));
}
