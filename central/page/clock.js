// clock - the centre's clock, as its answers tell it: what it shows when this browser's may be wrong.

let skew = {low: -Infinity, high: Infinity}; // the centre's minus this browser's, ms

// The centre's wall clock, as far as it is known: its Date header has whole seconds, each answer narrows it.
export function centreNow() {
	const known = isFinite(skew.low) && isFinite(skew.high);
	return Date.now() + (known ? (skew.low + skew.high) / 2 : 0);
}

// An answer to what was asked at `sentAt`, by this browser's clock.
export function learnTime(response, sentAt) {
	const at = Date.parse(response.headers.get("date") ?? "");
	if (isNaN(at))
		return;
	const low = at - Date.now(), high = at + 1000 - sentAt;
	if (low > skew.high || high < skew.low)
		skew = {low, high}; // a clock was set
	else
		skew = {low: Math.max(low, skew.low), high: Math.min(high, skew.high)};
}
