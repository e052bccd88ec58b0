// signin - asks who somebody is, and tells who they are to the centre.
import {el, setAttribute, setText} from "./dom.js";
import {live, on} from "./live.js";
import {signIn, signOut} from "./session.js";
import {duration, t, time, whoName} from "./words.js";

export const whoWords = (who) => `${whoName(who.name)} \u00b7 ${t(`role.${who.role}`)}`;

// --- signing in: over whatever is shown, which stays as it is ---

// A form as managers of passwords know them; sent by itself, which it never is, it would not put a token into an address.
function signInForm() {
	const input = el("input", {type: "password", name: "token", autocomplete: "current-password", required: true, autofocus: true, spellcheck: "false", "aria-describedby": "signin-what"});
	const said = el("p", {class: "refused", role: "alert"}), go = el("button", {class: "button is-first"}, t("signin.do"));

	// The button counts down, and not the sentence: that would be spoken each second.
	function wait(until) {
		const left = Math.ceil((until - performance.now()) / 1000);
		setAttribute(go, "disabled", left > 0);
		setText(go, left > 0 ? t("signin.again", {time: duration(left)}) : t("signin.do"));
		if (left > 0)
			setTimeout(wait, 250, until);
		else
			input.focus();
	}

	async function send() {
		setText(said, "");
		setAttribute(go, "disabled", true);
		const refused = await signIn(input.value.trim());
		setAttribute(go, "disabled", false);
		if (!refused)
			return;
		setText(said, t(`signin.${refused.why}`, {why: refused.text}));
		if (refused.why === "wrong")
			input.select();
		if (refused.seconds)
			wait(performance.now() + refused.seconds * 1000);
	}

	return el("form", {method: "post", action: "/v1/session", onsubmit: (e) => {
		e.preventDefault();
		send();
	}}, el("input", {type: "text", name: "username", autocomplete: "username", value: "tidemark", readonly: true, hidden: true}),
	el("label", {}, t("signin.token"), input), said, go);
}

export function askToken() {
	if (document.querySelector("dialog.signin"))
		return;
	const dialog = el("dialog", {class: "dialog signin", "aria-labelledby": "signin-head", oncancel: (e) => e.preventDefault(), onclose: () => live.mode === "signin" && dialog.showModal()},
		el("h2", {id: "signin-head"}, t("signin.head")), el("p", {id: "signin-what"}, t("signin.what")), signInForm());
	const off = on("mode", (mode) => {
		if (mode === "signin")
			return;
		off();
		dialog.close();
		dialog.remove();
	});
	document.body.append(dialog);
	dialog.showModal();
}

// --- who is signed in ---

export function openAccount() {
	const who = live.who;
	if (!who)
		return;
	const said = el("p", {class: "refused", role: "alert"});
	const out = who.by === "cookie" ? el("button", {type: "button", class: "button", onclick: async () => {
		try {
			await signOut();
		} catch (e) {
			setText(said, t("account.failed", {why: e.message}));
		}
	}}, t("account.out")) : null;
	const dialog = el("dialog", {class: "dialog account-dialog", "aria-labelledby": "account-head", onclose: () => dialog.remove()},
		el("h2", {id: "account-head"}, whoWords(who)), el("p", {}, t(`role.${who.role}.what`)),
		el("p", {class: "how"}, who.expires_at ? t("account.until", {at: time(who.expires_at)}) : t("account.ever")), said,
		el("form", {method: "dialog"}, out, el("button", {class: "button"}, t("close"))));
	document.body.append(dialog);
	dialog.showModal();
}
