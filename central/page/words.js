// words - everything that is said, in the language that was chosen: texts by key, numbers, ages, sizes of time.
//
// A text is a string with {names}, or an object of plural forms that {n} picks from ("=1": of this number alone). Unknown is said, never shown
// as 0.

export const languages = ["en", "ru"]; // each has its lang_*.js, of which only the chosen one is fetched

let texts = {};
let language, plural, integer, decimal, clock, day;

export async function setLanguage(code) {
	const chosen = languages.includes(code) ? code : "en";
	texts = (await import(`./lang_${chosen}.js`))[chosen];
	language = chosen;
	// English as spoken in Britain: a clock of 24 hours, the day before the month.
	const locale = language === "en" ? "en-GB" : language;
	plural = new Intl.PluralRules(locale);
	integer = new Intl.NumberFormat(locale, {maximumFractionDigits: 0});
	decimal = [1, 2, 3].map((n) => new Intl.NumberFormat(locale, {minimumFractionDigits: n, maximumFractionDigits: n}));
	clock = new Intl.DateTimeFormat(locale, {hour: "2-digit", minute: "2-digit", second: "2-digit"});
	day = new Intl.DateTimeFormat(locale, {day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit"});
	document.documentElement.lang = language;
}

export function languageNow() {
	return language;
}

export function preferredLanguage(wanted) {
	const codes = wanted.map((w) => w.toLowerCase().split("-")[0]);
	return codes.find((c) => languages.includes(c)) ?? "en";
}

export function has(key) {
	return texts[key] !== undefined;
}

export function t(key, values = {}) {
	let text = texts[key];
	if (text === undefined)
		return key;
	if (typeof text === "object")
		text = text[`=${values.n}`] ?? text[plural.select(Math.abs(values.n ?? 0))] ?? text.other;
	return text.replace(/\{(\w+)\}/g, (_, name) => {
		const value = values[name];
		return typeof value === "number" ? number(value) : String(value ?? "?");
	});
}

export function number(n) {
	return n == null ? t("unknown.short") : integer.format(n);
}

function fixed(x, places) {
	return places === 0 ? integer.format(x) : decimal[places - 1].format(x);
}

// Three significant digits, about.
function rounded(x) {
	const size = Math.abs(x);
	return fixed(x, size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : 2);
}

export function rate(perSecond) {
	if (perSecond == null)
		return t("unknown.short");
	return t("rate", {value: perSecond > 0 && perSecond < 100 ? fixed(perSecond, 1) : integer.format(perSecond)});
}

// The two largest units: "41 s", "3 min 12 s", "2 h 05 min", "3 d 4 h".
export function duration(seconds) {
	if (seconds == null || !isFinite(seconds))
		return t("unknown.short");
	const s = Math.max(0, Math.floor(seconds));
	if (s < 60)
		return `${s} ${t("unit.s")}`;
	const pair = (a, unit, b, less) => (b ? `${a} ${t(unit)} ${b} ${t(less)}` : `${a} ${t(unit)}`);
	if (s < 3600)
		return pair(Math.floor(s / 60), "unit.min", s % 60, "unit.s");
	if (s < 86400)
		return pair(Math.floor(s / 3600), "unit.h", Math.floor(s / 60) % 60, "unit.min");
	return pair(Math.floor(s / 86400), "unit.d", Math.floor(s / 3600) % 24, "unit.h");
}

export function age(seconds) {
	if (seconds == null)
		return t("unknown");
	return seconds < 1 ? t("now") : t("ago", {age: duration(seconds)});
}

export function milliseconds(ms) {
	if (ms == null)
		return t("unknown.short");
	return ms < 1000 ? `${integer.format(ms)} ${t("unit.ms")}` : `${rounded(ms / 1000)} ${t("unit.s")}`;
}

// What a clock is off by, with its sign: "+2.50 s", "−0.08 ms", "+12 µs".
export function micro(us, signed = true) {
	if (us == null)
		return t("unknown.short");
	const size = Math.abs(us);
	const [divisor, unit] = size < 1000 ? [1, "unit.us"] : size < 1e6 ? [1e3, "unit.ms"] : size < 6e7 ? [1e6, "unit.s"] : [0, ""];
	const sign = us < 0 ? "\u2212" : signed && us > 0 ? "+" : "";
	if (!divisor)
		return sign + duration(size / 1e6);
	return `${sign}${divisor === 1 ? integer.format(size) : rounded(size / divisor)} ${t(unit)}`;
}

// An axis: 1,200 as "1.2k".
export function short(n) {
	const size = Math.abs(n);
	if (size < 1000)
		return Number.isInteger(n) ? integer.format(n) : rounded(n);
	return size < 1e6 ? `${rounded(n / 1e3)}k` : `${rounded(n / 1e6)}M`;
}

export function percent(part) {
	return `${integer.format(Math.floor(part * 100))} %`;
}

// A time of today by the clock alone, another with its day.
export function time(iso) {
	if (iso == null)
		return t("unknown.short");
	const at = new Date(iso);
	return (at.toDateString() === new Date().toDateString() ? clock : day).format(at);
}

export function stateName(state) {
	return t(`state.${state}`);
}

// What happened, in one word or two; a kind that this page does not know keeps its own name.
export function kindName(kind) {
	return has(`kind.${kind}`) ? t(`kind.${kind}`) : kind;
}

// A token's name, or one of those that are none.
export function whoName(who) {
	return has(`who.${who}`) ? t(`who.${who}`) : who;
}

// The centre's reasons are English. In another language the page says what their code means, where it has one; the
// literal reason then stands beside it.
export function reasonOf(node) {
	if (language === "en")
		return {text: sentence(node.reason), literal: null};
	const last = node.polls?.history?.at(-1)?.result;
	const failed = ["offline", "never_seen"].includes(node.state) && last && last !== "ok";
	const text = failed ? t("why.failed", {result: t(`result.${last}`)}) : has(`why.${node.state}`) ? t(`why.${node.state}`) : null;
	return text ? {text, literal: node.reason} : {text: sentence(node.reason), literal: null};
}

// One thing of `unwell`: what it is, in a word or two, and the centre's sentence, without those words where it begins with them; in another
// language the page's own one first.
export function unwellWords({kind, text}) {
	const said = sentence(text), own = `unwell.${kind}.what`;
	const head = has(`unwell.${kind}`) ? t(`unwell.${kind}`) : sentence(kind.replaceAll("_", " ")), begins = head.replace(/\.$/, ": ");
	const rest = said.startsWith(begins) ? sentence(said.slice(begins.length)) : said;
	return {head, ...(has(own) ? {text: t(own), literal: said} : {text: rest, literal: null})};
}

export function sentence(text) {
	if (!text)
		return "";
	const whole = text[0].toUpperCase() + text.slice(1);
	return /[.!?]$/.test(whole) ? whole : whole + ".";
}
