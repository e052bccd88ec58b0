"""A site that is not the operator's, open in his browser: all that its pages can send to a program on his machine, and what they learn."""
import http.server
import re
import threading

import wire

NAMES = "*.hostile.test"  # resolve to this machine, as whoever owns a name can make it: for Chromium's --host-resolver-rules

PAGE = b"<!doctype html><link rel=icon href=data:,><title>Win a bicycle</title><body>"
PAGES = {
    "/": (),
    "/nobody": (("Content-Security-Policy", "sandbox allow-scripts allow-forms allow-popups"),),  # its origin is "null"
}


class Site:
    """Empty pages under names of its own, on a port of its own; the test runs in them what they would run."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path in PAGES else 404)
                for header in (("Content-Type", "text/html; charset=utf-8"), *PAGES.get(self.path, ())):
                    self.send_header(*header)
                self.end_headers()
                self.wfile.write(PAGE)

            def log_message(self, *_):
                pass

        self.web = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        self.web.daemon_threads = True
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        port = self.web.server_port
        self.pages = {"another site": f"http://www.hostile.test:{port}/", "another port": f"http://127.0.0.1:{port}/",
                      "nobody": f"http://www.hostile.test:{port}/nobody"}

    def close(self):
        self.web.shutdown()
        self.web.server_close()


class Asked:
    """A request that may be anything."""
    parked = False

    def __init__(self, raw):
        self.raw = raw
        self.method, self.target, _ = raw.split(b"\r\n", 1)[0].decode().split(" ")
        self.id = self.kind = None


class Door(wire.Wire):
    """In front of a program: whatever comes to it from a browser, and what it answers. `silent`: as of a browser that does not say who asks."""
    request_of = Asked

    def __init__(self, program):
        super().__init__(program)
        self.silent = False
        self.lure = False  # what comes is answered with a page of its own: the program's name is still the hostile one's
        self.choose = lambda x: wire.Fault("pass", self.pass_on)
        self.port = int(self.url.rsplit(":", 1)[1])

    def pass_on(self, x):
        if self.lure:
            return x.reply(wire.with_body(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", PAGE))
        if self.silent:
            x.request.raw = re.sub(rb"(?im)^sec-fetch-[^\n]*\n", b"", x.request.raw)
        return x.reply(x.forward())

    def forget(self):
        self.faults.clear()
        self.kept.clear()

    def passed(self):
        """[(method, path without query, status)]"""
        return [(request.method, request.target.split("?")[0], int(answer.split(b" ", 2)[1])) for request, answer in self.old()]


# Sends what would change something in every way that a page has, and tells what it was told: [how, path, what] each.
# arguments: the program's URL; [method, path, body] of changes; paths to read.
ATTACK = """
const [base, changes, reads, done] = arguments;
const learnt = [];
const learn = (how, path, what) => learnt.push([how, path, String(what).slice(0, 200)]);
const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];
const within = (promise, ms = 4000) => Promise.race([promise, new Promise((r) => setTimeout(r, ms, "late"))]);

async function asked(how, path, options) {
	try {
		const answer = await fetch(base + path, options);
		const text = await answer.text();
		if (answer.type !== "opaque" || text || answer.status)
			learn(how, path, `${answer.type} ${answer.status} ${text}`);
	} catch { // told nothing
	}
}

let frames = 0;
function form(path, enctype, body) {
	const frame = document.createElement("iframe");
	frame.name = "f" + frames++;
	const form = document.createElement("form");
	Object.assign(form, {method: "post", action: base + path, enctype, target: frame.name});
	const field = document.createElement("input");
	const cut = body.indexOf(":") + 1; // text/plain puts a "=" between name and value
	[field.name, field.value] = enctype === "text/plain" ? [body.slice(0, cut) + '"', body.slice(cut) + '"'] : ["json", body];
	form.append(field);
	document.body.append(frame, form);
	const loaded = new Promise((r) => frame.onload = r);
	form.submit();
	return within(loaded);
}

function included(tag, path, attributes) {
	const e = document.createElement(tag);
	Object.assign(e, attributes);
	const known = within(new Promise((r) => {
		e.onload = () => { learn(`<${tag}>`, path, "loaded"); r(); };
		e.onerror = r;
	}));
	document.head.append(e);
	return known;
}

const include = (path) => [["img", {src: base + path}], ["script", {src: base + path}], ["script", {type: "module", src: base + path}],
	["link", {rel: "stylesheet", href: base + path}], ["video", {src: base + path}]].map(([tag, attributes]) => included(tag, path, attributes));

const all = [];
for (const [method, path, body] of changes) {
	if (method === "POST") {
		for (const type of types) {
			all.push(form(path, type, body));
			for (const credentials of ["include", "omit"])
				all.push(asked("no-cors " + type, path, {method, mode: "no-cors", credentials, headers: {"Content-Type": type}, body}));
			navigator.sendBeacon(base + path, new Blob([body], {type}));
		}
		all.push(asked("keepalive", path, {method, mode: "no-cors", keepalive: true, body}));
	}
	if (method === "GET")
		all.push(...include(path), asked("no-cors", path, {mode: "no-cors", credentials: "include"}));
	else
		all.push(asked("json", path, {method, credentials: "include", headers: {"Content-Type": "application/json"}, body: body || undefined}));
}
for (const path of reads) {
	for (const mode of ["cors", "no-cors"])
		all.push(asked(mode, path, {mode, credentials: "include"}));
	all.push(...include(path));
	const stream = new EventSource(base + path, {withCredentials: true});
	stream.onopen = () => learn("EventSource", path, "open");
	stream.onmessage = (m) => learn("EventSource", path, m.data);
	all.push(within(new Promise((r) => stream.onerror = r)).then(() => stream.close()));
	const socket = new WebSocket(base.replace("http", "ws") + path);
	socket.onopen = () => learn("WebSocket", path, "open");
	all.push(within(new Promise((r) => socket.onclose = r)));
}
Promise.all(all).then((ends) => done([learnt, ends.filter((e) => e === "late").length]));
"""
