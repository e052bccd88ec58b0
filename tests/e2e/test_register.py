"""Registration is a way in: the centre connects where it is told, so what it may be told is judged at every door, and again when the socket opens."""
import contextlib
import http.server
import signal
import socket
import struct
import subprocess
import threading

import pytest

import guide
import hooks
import lab
from netns import ADDRESS, Away

FORM = "neither user, query, fragment nor blanks"
SCHEME = "does not start with http:// or https://"
NAME = "neither a name nor an address"
SHAPE = "is not http://HOST:PORT"
OUTSIDE = "is in no allowed network"
NEVER = "where no node can be"
# On a centre that listens on loopback.  The last ones are names of this machine as any other program would read them.
BAD = {
    **{f"{s}://127.0.0.1:9/": SCHEME for s in ("file", "ftp", "gopher", "dict", "ldap", "scp", "unix", "HTTP", "httpx")},
    "file:///etc/passwd": SCHEME, "127.0.0.1:9": SCHEME, "//127.0.0.1:9": SCHEME, "javascript:alert(1)": SCHEME,
    "http://user@127.0.0.1:9": FORM, "http://user:pass@127.0.0.1:9": FORM, "http://127.0.0.1:9@10.0.0.1": FORM, "http://127.0.0.1:9\\@10.0.0.1": FORM,
    "http://127.0.0.1:9/?x": FORM, "http://127.0.0.1:9/#x": FORM, "http://127.0.0.1:9/a b": FORM, "http://127.0.0.1:9/\t": FORM,
    "http://127.0.0.1:9\r\nX: y": FORM, "http://127.0.0.1:9/\nX: y": FORM, "http://\u0661\u0662\u0667.0.0.1:9": FORM, "http://shop\u3002example:9": FORM,
    "http://": SHAPE, "http:///x": SHAPE, "http://:9": SHAPE, "http://127.0.0.1:": SHAPE, "http://127.0.0.1:0": SHAPE, "http://127.0.0.1:99999": SHAPE,
    "http://127.0.0.1:9x": SHAPE, "http://127.0.0.1:-9": SHAPE, "http://[::1": SHAPE, "http://[::1]x": SHAPE, "http://[fe80::1%25lo]:9": SHAPE, "http://[localhost]": SHAPE,
    "http://%31%32%37.0.0.1:9": NAME, "http://127.0.0.1%00.example:9": NAME, "http://127.1:9": NAME, "http://0x7f000001:9": NAME, "http://0x7f.1:9": NAME,
    "http://2130706433:9": NAME, "http://017700000001:9": NAME, "http://0:9": NAME, "http://127.0.0.1.:9": NAME,
    "http://10.0.0.1:9": OUTSIDE, "http://169.254.169.254/": OUTSIDE, "http://[fd00:ec2::254]/": OUTSIDE, "http://[fe80::1]:9": OUTSIDE, "http://[::ffff:10.0.0.1]:9": OUTSIDE,
    "http://0.0.0.0:9": NEVER, "http://[::]:9": NEVER, "http://[::ffff:0.0.0.0]:9": NEVER, "http://224.0.0.1:9": NEVER, "http://239.1.2.3:9": NEVER,
    "http://255.255.255.255:9": NEVER, "http://[ff02::1]:9": NEVER,
}
LONG = "http://127.0.0.1:9/" + "x" * 2048


def config(path, **settings):
    path.write_text("".join(f"{k.replace('_', '-')} = {v}\n" for k, v in settings.items()))
    return path


def reload(program):
    before = len(program.log_text())
    program.process.send_signal(signal.SIGHUP)
    return lab.wait_until("reloaded", lambda: (lambda t: t if " reloaded " in t or "reload.failed" in t else None)(program.log_text()[before:]))


def test_bad_urls_are_refused_at_every_door_and_change_nothing(site):
    """API (added and changed), tool, --node and SIGHUP, each with the reason; the next good request works."""
    good = "http://127.0.0.1:9"
    settings = config(site.path / "centre.conf", node=f"a={good}")
    centre = site.centre(options=["--config", settings])

    def said(bad, word):
        for method, path, extra in (("POST", "/v1/nodes", {"name": "b"}), ("PATCH", "/v1/nodes/a", {})):
            r = lab.call(centre.url + path, method, lab.json.dumps({**extra, "url": bad}))
            assert r.status == 400 and r.code == "bad_request" and word in r.json["detail"], (bad, r.body)
        r = centre.tool("node", "add", "b", bad, check=False)
        assert r.returncode == 1 and word in r.stderr, (bad, r)
        checked = subprocess.run([lab.BIN / "tidemark-central", "--check-config", "--node", f"b={bad}"], capture_output=True, text=True, timeout=20)
        odd = any(c in "\r\n" for c in bad)  # which no option may hold
        assert checked.returncode in (2, 6) and ("holds a control character" if odd else word) in checked.stderr, (bad, checked)
        if not any(c in bad for c in " \t\r\n#"):  # a file could not say it, or as two nodes
            config(settings, node=f"a={good} b={bad}")
            assert "reload.failed" in (text := reload(centre)) and word in text, (bad, text)

    for bad, word in BAD.items():
        said(bad, word)
    r = centre.post("/v1/nodes", {"name": "b", "url": LONG})
    assert r.status == 400 and "longer than 511 bytes" in r.json["detail"]
    r = subprocess.run([lab.BIN / "tidemark-central", "--store", f"sqlite:{site.path}/other.db", "--listen", "127.0.0.1:0", "--node", f"b={LONG}"],
                       capture_output=True, text=True, timeout=20)
    assert r.returncode in (2, 6) and "too long" in r.stderr, r
    assert [(n["name"], n["url"]) for n in centre.nodes()] == [("a", good)]
    assert sorted(e["kind"] for e in centre.events() if e["kind"] != "node.state") == ["node.added"]
    # taken names and URLs
    for taken in ({"name": "a", "url": "http://127.0.0.1:8"}, {"name": "c", "url": good}):
        assert (r := centre.post("/v1/nodes", taken)).status == 409 and r.code == "conflict", r.body
    a = site.local("b")
    config(settings, node=f"a={good}")
    assert "reload.failed" not in reload(centre)
    assert centre.post("/v1/nodes", {"name": "b", "url": a.url}).status == 201
    centre.in_sync("b")


@pytest.mark.parametrize("listen", ["127.0.0.1", "0.0.0.0"])
def test_the_centre_is_no_node_of_itself(site, listen):
    """Under any of its addresses, whoever says it: it would show itself tokens, and answer 404."""
    port = guide.free_port()
    secret = lab.private_file(site.path / "secret", "s" * 40)
    settings = config(site.path / "centre.conf", allow_network="127.0.0.0/8", secret_file=secret)
    centre = lab.Centre(site.path, [])
    centre.argv = lambda: [lab.BIN / "tidemark-central", "--store", centre.store.url, "--listen", f"{listen}:{port}", "--allow-plain-http", "--config", settings, *centre.options]
    site.adopt(centre)
    centre.url = f"http://127.0.0.1:{port}"
    operator = {"Authorization": "Bearer " + "s" * 40}
    own = ["http://127.0.0.1", "http://localhost", "http://[::ffff:127.0.0.1]", "http://LOCALHOST."] + (["http://127.8.8.8"] if listen == "0.0.0.0" else [])
    for url in own:
        r = lab.call(centre.url + "/v1/nodes", "POST", lab.json.dumps({"name": "me", "url": f"{url}:{port}/"}), headers=operator)
        assert r.status == 400 and "is the centre's own" in r.json["detail"], (url, r.body)
    r = centre.tool("--token-file", str(secret), "node", "add", "me", own[0] + f":{port}", check=False)
    assert r.returncode == 1 and "is the centre's own" in r.stderr
    config(settings, allow_network="127.0.0.0/8", secret_file=secret, node=f"me={own[0]}:{port}")
    assert "is the centre's own" in reload(centre)
    assert lab.call(centre.url + "/v1/nodes", headers=operator).json["nodes"] == []
    centre.stop()
    centre.spawn()
    assert centre.process.wait(10) == 6 and "is the centre's own" in centre.log_text()
    config(settings, allow_network="127.0.0.0/8", secret_file=secret, node=f"me={own[0]}:{port + 1 if port < 65535 else port - 1}")
    centre.start()


class Trap:
    """A socket that nobody is to connect to."""

    def __init__(self, host="127.0.0.1", port=0):
        self.socket = socket.create_server((host, port))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self.came = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                self.socket.accept()[0].close()
                self.came += 1

    def close(self):
        self.socket.close()


@pytest.fixture
def trap():
    t = Trap()
    yield t
    t.close()


class Elsewhere:
    """Sends everybody who asks to another place, and keeps what headers they came with."""

    def __init__(self, where):
        self.headers = []
        elsewhere = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                elsewhere.headers.append(dict(self.headers))
                self.send_response(302)
                self.send_header("Location", where)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def test_proxies_credentials_and_redirects_of_others_are_not_followed(site, trap, monkeypatch):
    """Of the environment and of files in the home directory: by the centre, the notifier, the tool, import and export."""
    home = site.path / "home"
    home.mkdir()
    lab.private_file(home / ".netrc", "machine 127.0.0.1 login evil password evil\ndefault login evil password evil\n")
    (home / ".curlrc").write_text(f"proxy = {trap.url}\nlocation\nuser = evil:evil\n")
    for name in ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, trap.url)
    for name, value in {"HOME": home, "CURL_HOME": home, "NETRC": home / ".netrc", "no_proxy": "", "NO_PROXY": ""}.items():
        monkeypatch.setenv(name, str(value))
    elsewhere, receiver = Elsewhere(trap.url + "/v1/changes"), hooks.Hooks()
    a = site.local("a")
    centre = site.centre(a, options=["--notify-url", receiver.url + "/hook"])
    centre.in_sync("a")
    assert centre.post("/v1/nodes", {"name": "b", "url": elsewhere.url}).status == 201
    n = lab.wait_until("it redirects", lambda: (lambda n: n if "302" in n["reason"] else None)(centre.node("b")))
    assert n["state"] == "never_seen" and "elsewhere (302), which is not followed" in n["reason"], n
    centre.tool("notifications", "test")
    request = lab.wait_until("told", lambda: receiver.at("/hook"))[0]
    assert "Authorization" not in request.headers
    (site.path / "in.ndjson").write_text('{"id":"x","type":"t","body":1}\n')
    for argv in (["import", "--to", a.url, site.path / "in.ndjson"], ["export", "--from", a.url, site.path / "out.ndjson"]):
        r = subprocess.run([lab.BIN / "tidemark-local", *argv], capture_output=True, text=True, timeout=30)
        assert r.returncode == 0, r
    assert "x" in (site.path / "out.ndjson").read_text()
    seen = len(elsewhere.headers)
    for argv in (["tidemark", "--central", elsewhere.url, "nodes"], ["tidemark", "--central", elsewhere.url, "backup", str(site.path / "copy")],
                 ["tidemark-local", "export", "--from", elsewhere.url, str(site.path / "no.ndjson")]):
        r = subprocess.run([lab.BIN / argv[0], *argv[1:]], capture_output=True, text=True, timeout=30)
        assert r.returncode != 0 and "302" in r.stderr, r
    assert len(elsewhere.headers) >= seen + 3 and not [h for h in elsewhere.headers if "Authorization" in h]
    assert trap.came == 0 and not any("evil" in p.log.read_text() for p in (centre, a))
    elsewhere.server.shutdown()
    receiver.server.shutdown()


class Names:
    """A name server that says what it is told."""

    def __init__(self, address):
        self.known = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                query, who = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(query), who)

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        found = self.known.get(".".join(labels).lower(), [])
        wanted = found if struct.unpack("!H", query[at + 1:at + 3])[0] == 1 else []
        head = query[:2] + struct.pack("!HHHHH", 0x8180 if found else 0x8183, 1, len(wanted), 0, 0)
        return head + question + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(a) for a in wanted)


def test_a_name_is_judged_by_where_it_leads_each_time_a_socket_opens(site, cable):
    """Names that lead to loopback, to a cloud's metadata, to nobody or to the centre itself; and one that leads to a node first and to
    loopback later (rebinding).  The centre allows all of IPv4, and a program that listens on its loopback is never connected to."""
    for name in ("secret", "a.token", "app"):
        lab.private_file(site.path / name, "s" * 40)
    (site.path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    operator = {"Authorization": "Bearer " + "s" * 40}
    there = ["unshare", "--mount", "sh", "-ec", f'mount --bind {site.path}/resolv.conf /etc/resolv.conf; exec "$@"', "sh"]
    centre = lab.Centre(site.path, [], options=["--allow-plain-http", "--allow-network", "0.0.0.0/0", "--secret-file", site.path / "secret"])
    plain = lab.Centre.argv
    centre.argv = lambda: [*there, *[f"{ADDRESS['centre']}:{centre.port}" if a == f"127.0.0.1:{centre.port}" else a for a in plain(centre)]]
    a = Away(cable, site.path, "a", options=["--allow-plain-http", "--token-file", site.path / "a.token", "--app-token-file", site.path / "app"])
    with cable.at("centre"):
        names = Names("127.0.0.1")
        site.adopt(centre)
        port = int(centre.url.rsplit(":", 1)[1])
    site.adopt(a)
    with cable.at("centre"):
        trap = Trap(port=a.port)

    def ask(method, path, body=None):
        with cable.at("centre"):
            r = lab.call(centre.url + path, method, lab.json.dumps(body) if body else None, headers=operator)
        assert r.status < 300, r.body
        return r.json

    def until(name, word):
        def said():
            n = ask("GET", f"/v1/nodes/{name}")
            return word in f"{n['state']}: {n['reason']}"
        lab.wait_until(f"{name}: {word}", said, 60)  # a node that fails is asked more and more seldom

    names.known |= {"loop.test": ["127.0.0.1"], "meta.test": ["169.254.169.254"], "zero.test": ["0.0.0.0"], "many.test": ["224.0.0.1"], "all.test": ["255.255.255.255"],
                    "self.test": [ADDRESS["centre"]], "a.test": ["127.0.0.1", ADDRESS["site"]]}
    for name, word in {"loop": "of loopback or link-local", "meta": "of loopback or link-local", "zero": "where no node can be", "many": "where no node can be",
                       "all": "where no node can be", "self": "is the centre's own"}.items():
        ask("POST", "/v1/nodes", {"name": name, "url": f"http://{name}.test:{port if name == 'self' else a.port}"})
        until(name, word)
    token = ask("POST", "/v1/nodes", {"name": "a", "url": f"http://a.test:{a.port}"})["token"]
    (site.path / "a.token").write_text(token)
    a.process.send_signal(signal.SIGHUP)
    ask("POST", "/v1/nodes/a/pull")
    until("a", "in_sync")  # the second of its addresses is one
    names.known["a.test"] = ["127.0.0.1"]
    a.stop()
    until("a", "of loopback or link-local")
    assert trap.came == 0
    trap.close()
    names.socket.close()
