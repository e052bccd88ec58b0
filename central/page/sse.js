// sse - server-sent events, as bytes come in. Pure.

// One block of server-sent events: {event, data}.
export function parse(block) {
	const fields = {event: "message", data: []};
	for (const line of block.split(/\r?\n/)) {
		const colon = line.indexOf(":");
		const name = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
		if (name === "data")
			fields.data.push(value);
		else if (name === "event")
			fields.event = value;
	}
	return {event: fields.event, data: fields.data.join("\n")};
}
