// dom - elements from plain values. Whatever comes from outside goes through textContent or an attribute, never
// through a parser of HTML.

const SVG = "http://www.w3.org/2000/svg";

// What turns the order of all that follows it, so that a text reads as another than it is.
const turning = /[\u202A-\u202E\u2066-\u2069]/g;
const spoken = ["title", "aria-label"];

// As JSON writes it, so that a body that is shown stays the same value.
export function plain(text) {
	return text.replace(turning, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}

function fill(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (name.startsWith("on"))
			node.addEventListener(name.slice(2), value);
		else
			setAttribute(node, name, value);
	}
	node.append(...children.filter((c) => c != null).map((c) => (typeof c === "string" ? plain(c) : c)));
	return node;
}

export function el(tag, attributes, ...children) {
	return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
	return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Both touch the document only where something is new: an update of a thousand equal rows costs comparisons alone.
export function setText(node, text) {
	const shown = plain(String(text ?? ""));
	if (node.textContent !== shown)
		node.textContent = shown;
}

// null, undefined and false: the attribute is not there.
export function setAttribute(node, name, value) {
	if (value == null || value === false) {
		if (node.hasAttribute(name))
			node.removeAttribute(name);
		return;
	}
	const text = value === true ? "" : spoken.includes(name) ? plain(String(value)) : String(value);
	if (node.getAttribute(name) !== text)
		node.setAttribute(name, text);
}

// Puts children into this order; those in place already stay untouched, and with them focus and selection.
export function setChildren(parent, children) {
	let at = parent.firstChild;
	for (const child of children) {
		if (child === at)
			at = at.nextSibling;
		else
			parent.insertBefore(child, at);
	}
	while (at) {
		const next = at.nextSibling;
		at.remove();
		at = next;
	}
}
