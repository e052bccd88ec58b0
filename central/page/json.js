// json - JSON as text. A record's hash is of its bytes, and JSON.parse loses some: digits of long numbers, spaces, the order
// of names that look like numbers. What goes in here has been checked to be JSON.

const token = /[{}[\]:,"]|[^\s{}[\]:,"]+/g;

function endOfString(text, at) {
	for (let i = at + 1; i < text.length; i++) {
		const c = text[i];
		if (c === "\\")
			i++;
		else if (c === "\"")
			return i + 1;
	}
	return text.length;
}

// Each with its place: brackets, ":" and ",", and whole strings, numbers and words.
function* tokens(text) {
	token.lastIndex = 0;
	for (let m, at = 0; (token.lastIndex = at, m = token.exec(text)); ) {
		at = m[0] === "\"" ? endOfString(text, m.index) : token.lastIndex;
		yield {what: text.slice(m.index, at), at: m.index, end: at};
	}
}

// The values of an object or an array as they are written: [{name (null in an array), text}].
export function parts(text) {
	const found = [];
	let depth = 0, name = null, from = null, to = null, last = null;
	for (const {what, at, end} of tokens(text)) {
		if (depth === 1 && what === ":") {
			name = JSON.parse(last);
			from = null;
		} else if (depth === 1 && (what === "," || what === "}" || what === "]")) {
			if (from !== null)
				found.push({name, text: text.slice(from, to)});
			name = from = null;
		} else if (depth > 0) {
			from ??= at;
			to = end;
		}
		depth += what === "{" || what === "[" ? 1 : what === "}" || what === "]" ? -1 : 0;
		last = what;
	}
	return found;
}

// One member of an object, as it is written; null: it has none.
export function member(text, name) {
	return parts(text).find((p) => p.name === name)?.text ?? null;
}

// One value a line, indented; every literal as it is written.
export function pretty(text) {
	const lines = [];
	let line = "", depth = 0, empty = false; // empty: nothing yet since a bracket was opened
	const fresh = () => {
		lines.push(line);
		line = "  ".repeat(depth);
	};
	for (const {what} of tokens(text)) {
		const opens = what === "{" || what === "[", closes = what === "}" || what === "]";
		depth -= closes ? 1 : 0;
		if (empty !== closes) // "{}" stays together
			fresh();
		line += what === ":" ? ": " : what;
		depth += opens ? 1 : 0;
		empty = opens;
		if (what === ",")
			fresh();
	}
	lines.push(line);
	return lines.join("\n");
}

export function bytes(text) {
	return new TextEncoder().encode(text).length;
}
