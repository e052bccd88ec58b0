// confirm - a question before what cannot be taken back, and what is said where it failed.
import {el, setAttribute} from "./dom.js";
import {Problem} from "./live.js";
import {t} from "./words.js";

// → true: yes. With `typed` ({text, label}) only who types that text may say it.
export function confirmBy(head, what, action, typed) {
	return new Promise((done) => {
		const input = typed ? el("input", {type: "text", autocomplete: "off", spellcheck: "false", "aria-label": typed.label, oninput: () => setAttribute(go, "disabled", input.value !== typed.text)}) : null;
		const go = el("button", {class: "button is-danger", value: "yes", disabled: Boolean(typed)}, action);
		const dialog = el("dialog", {class: "dialog", "aria-labelledby": "confirm-head", onclose: () => {
			done(dialog.returnValue === "yes");
			dialog.remove();
		}}, el("h2", {id: "confirm-head"}, head), el("p", {}, what),
		el("form", {method: "dialog"}, input, go, el("button", {class: "button", value: "no", formnovalidate: true}, t("cancel"))));
		document.body.append(dialog);
		dialog.showModal();
	});
}

// A refusal changed nothing; silence may have.
export function failureWords(error) {
	const known = error instanceof Problem && error.body.outcome === undefined;
	return t(known ? "act.refused" : error.body?.outcome === "done" ? "act.done" : "act.unknown", {why: error.message});
}
