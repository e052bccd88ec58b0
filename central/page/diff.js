// diff - two texts line by line, side by side: what is the same, what is not, and within a line where.
import {el, setText} from "./dom.js";
import {t} from "./words.js";

const CELLS_MOST = 4e6; // of the table below; more is not compared line by line
const AROUND = 3; // equal lines shown around what differs

// The longest common sequence of lines → pairs [i, j], rising.
function common(a, b) {
	const width = b.length + 1;
	if ((a.length + 1) * width > CELLS_MOST)
		return [];
	const longest = new Uint32Array((a.length + 1) * width);
	for (let i = a.length - 1; i >= 0; i--)
		for (let j = b.length - 1; j >= 0; j--)
			longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1
				: Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
	const pairs = [];
	for (let i = 0, j = 0; i < a.length && j < b.length; ) {
		if (a[i] === b[j])
			pairs.push([i++, j++]);
		else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1])
			i++;
		else
			j++;
	}
	return pairs;
}

// → rows [{left, right, same}], null where a side has no such line. What differs in one place stands in one row.
export function pairLines(a, b) {
	let head = 0, tail = 0;
	while (head < a.length && head < b.length && a[head] === b[head])
		head++;
	while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail))
		tail++;
	const rows = a.slice(0, head).map((line) => ({left: line, right: line, same: true}));
	const x = a.slice(head, a.length - tail), y = b.slice(head, b.length - tail);
	let i = 0, j = 0;
	for (const [p, q] of [...common(x, y), [x.length, y.length]]) {
		for (; i < p || j < q; i++, j++)
			rows.push({left: i < p ? x[i] : null, right: j < q ? y[j] : null, same: i < p && x[i] === y[j]});
		i = p;
		j = q;
		if (p < x.length) {
			rows.push({left: x[p], right: y[q], same: true});
			i++;
			j++;
		}
	}
	return [...rows, ...a.slice(a.length - tail).map((line) => ({left: line, right: line, same: true}))];
}

// What two lines begin and end with alike is left alone; what is between is marked.
function marked(line, other) {
	if (other === null)
		return [el("mark", {}, line)];
	const a = [...line], b = [...other]; // whole characters
	const most = Math.min(a.length, b.length);
	let head = 0, tail = 0;
	while (head < most && a[head] === b[head])
		head++;
	while (tail < most - head && a.at(-1 - tail) === b.at(-1 - tail))
		tail++;
	const end = a.length - tail, middle = a.slice(head, end).join("");
	return [a.slice(0, head).join(""), middle ? el("mark", {}, middle) : null, a.slice(end).join("")].filter(Boolean);
}

function side(row, line, other, sign, place) {
	const text = line === null ? [] : row.same ? [line] : marked(line, other);
	return [el("td", {class: `${line === null ? "diff-void" : "diff-sign"} ${place}`}, row.same || line === null ? "" : sign), el("td", {class: `${line === null ? "diff-none" : "diff-line"} ${place}`}, ...text)];
}

function cells(row) {
	return el("tr", {class: row.same ? "is-same" : "is-changed"}, ...side(row, row.left, row.right, "\u2212", "is-left"), ...side(row, row.right, row.left, "+", "is-right"));
}

function fold(hidden) {
	const row = el("tr", {class: "diff-fold"}, el("td", {colspan: 4},
		el("button", {type: "button", class: "link", onclick: () => row.replaceWith(...hidden.map(cells))}, t("diff.same", {n: hidden.length}))));
	return row;
}

// Long runs of equal lines are folded, and open at a click.
function bodyOf(rows) {
	const near = rows.map(() => false);
	rows.forEach((row, i) => !row.same && near.fill(true, Math.max(0, i - AROUND), i + AROUND + 1));
	const found = [];
	for (let i = 0; i < rows.length; ) {
		let end = i;
		while (end < rows.length && near[end] === near[i])
			end++;
		const run = rows.slice(i, end);
		found.push(...(near[i] || run.length <= 2 * AROUND ? run.map(cells) : [fold(run)]));
		i = end;
	}
	return found;
}

// Two columns with these heads (elements). `said` tells in words whether they differ.
export function diffTable(label) {
	const body = el("tbody", {}), said = el("p", {class: "diff-said", role: "status"});
	const left = el("th", {scope: "col", colspan: 2}), right = el("th", {scope: "col", colspan: 2});
	const table = el("table", {class: "diff", "aria-label": label}, el("colgroup", {}, ...["sign", "text", "sign", "text"].map((c) => el("col", {class: `diff-col-${c}`}))),
		el("thead", {}, el("tr", {}, left, right)), body);
	return {
		node: el("div", {}, said, table),
		left,
		right,
		set(a, b) {
			const rows = pairLines(a.split("\n"), b.split("\n")), n = rows.filter((r) => !r.same).length;
			setText(said, n ? t("diff.lines", {n}) : t("diff.none"));
			body.replaceChildren(...bodyOf(rows));
		},
	};
}
