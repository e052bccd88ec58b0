"""The page's side of the centre: its files, the stream of what happens, and the list of nodes."""
import gzip
import time
import urllib.parse

import lab
from sse import Stream

MOST = 64


def follow(centre, query="", **headers):
    s = Stream(centre.url + "/v1/events/stream" + query, {k.replace("_", "-"): v for k, v in headers.items()})
    assert s.status == 200, s.status
    assert s.headers["Content-Type"] == "text/event-stream" and s.headers["Cache-Control"] == "no-store"
    return s


def events(messages):
    return [m.json for m in messages if m.kind == "event"]


def is_state(node, state):
    return lambda m: m.kind == "event" and m.json["node"] == node and m.json["text"].startswith(state + " ")


def test_what_happens_is_told_as_it_happens(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync("a")
    before = centre.events()[-1]["id"]
    s = follow(centre)
    greeting = s.until(lambda m: m.kind == "nodes")
    assert s.retry_ms == 2000 and greeting[-1].json == {"nodes": [], "all": True} and greeting[-1].id == before
    (status,) = (m for m in s.until(lambda m: m.kind == "status") if m.kind == "status")
    assert status.json.keys() == centre.get("/v1/status").json.keys()
    began = time.monotonic()
    a.write({"id": "x", "body": 1})
    pulled = s.until(lambda m: m.kind == "event" and m.json["kind"] == "pulled")[-1]
    assert pulled.id == before + 1 == pulled.json["id"] and pulled.json == centre.events()[-1]
    assert time.monotonic() - began < 1
    a.kill()
    seen = s.until(is_state("a", "offline"))
    seen += s.until(lambda m: m.kind == "nodes" and "a" in m.json["nodes"])
    seen += s.until(lambda m: m.kind == "status" and m.json["nodes"]["offline"] == 1)
    s.close()
    a.start()
    a.write({"id": "y", "body": 2})
    centre.in_sync("a")
    missed = follow(centre, Last_Event_ID=str(before + 1))  # what was told is not told again
    told = events(missed.until(lambda m: m.kind == "nodes"))
    assert told == [e for e in centre.all_events() if e["id"] > before + 1][:len(told)] and told[0] == events(seen)[0]
    missed.close()
    only = follow(centre, f"?after={before}&node=a&level=warn")
    assert {(e["node"], e["level"]) for e in events(only.until(lambda m: m.kind == "nodes"))} == {("a", "warn")}
    only.close()


def test_many_follow_and_those_who_vanish_are_forgotten(site):
    """As many as may, and one more; each place is another's when its own has gone, and a stop ends them all."""
    a = site.local("a", options=("--generate", "20"))  # so that something is sent to all of them, all the time
    centre = site.centre(a)
    streams = [follow(centre) for _ in range(MOST)]
    refused = Stream(centre.url + "/v1/events/stream")
    assert refused.status == 503 and int(refused.headers["Retry-After"]) >= 1
    refused.close()
    assert centre.get("/v1/status").status == 200  # other calls go on
    for s in streams[1:]:
        s.close()

    def room():  # the centre notices at the next that it sends, one after another
        s = Stream(centre.url + "/v1/events/stream")
        if s.status == 200:
            return s
        s.close()

    others = [lab.wait_until("the place of one who left is free", room) for _ in streams[1:]]
    streams[0].until(lambda m: m.kind == "event")
    began = time.monotonic()
    assert centre.stop() == 0 and time.monotonic() - began < 5
    for s in (*others, streams[0]):
        list(s)  # it ends
        s.close()


def test_the_page_needs_no_token_and_its_data_do(site, tmp_path):
    secret = lab.private_file(tmp_path / "secret", "s3cret-of-the-centre-0123456789\n")
    centre = site.centre(options=("--secret-file", str(secret)))
    page = centre.get("/")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    assert page.body == (lab.TOP / "central" / "page" / "index.html").read_bytes()
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-cache"
    for headers in ({"If-None-Match": page.headers["ETag"]}, {"If-None-Match": f'"x", W/{page.headers["ETag"]}'}):
        again = centre.get("/page/index.html", headers=headers)
        assert again.status == 304 and again.body == b"" and again.headers["ETag"] == page.headers["ETag"]
    assert centre.get("/page/index.html", headers={"If-None-Match": '"x"'}).status == 200
    for path in ("/", "/page/app.js"):
        plain = centre.get(path)
        for accepted in ("gzip", "deflate;q=0.5, gzip;q=1.0, *;q=0", "br ,\tgzip"):
            packed = centre.get(path, headers={"Accept-Encoding": accepted})
            assert packed.headers["Content-Encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body, accepted
            assert len(packed.body) < len(plain.body) and packed.headers["ETag"] != plain.headers["ETag"]
            again = centre.get(path, headers={"Accept-Encoding": accepted, "If-None-Match": packed.headers["ETag"]})
            assert again.status == 304 and again.body == b""
            assert "Accept-Encoding" in packed.headers["Vary"] and plain.headers["Vary"] == again.headers["Vary"] == packed.headers["Vary"]
        for refused in ("gzip;q=0", "gzip; q=0.000, br", "*", "x-gzip-not", "", "identity"):
            other = centre.get(path, headers={"Accept-Encoding": refused})
            assert other.headers["Content-Encoding"] is None and other.body == plain.body, refused
    head = lab.call(centre.url + "/", "HEAD")
    assert head.status == 200 and head.body == b"" and int(head.headers["Content-Length"]) == len(page.body)
    assert centre.get("/", headers={"Accept": "text/html,application/json;q=0.9,*/*;q=0.8"}).body == page.body
    assert b"/v1/nodes" in centre.get("/", headers={"Accept": "text/plain"}).body
    for name in ("..%2f..%2fREADME.md", "%2e%2e", "none.js", "index.html%00"):
        assert centre.get("/page/" + name).status in (400, 404)
    for path in ("/v1", "/v1/nodes", "/v1/events/stream"):
        r = centre.get(path)
        assert r.status == 401 and r.headers["Content-Type"] == "application/problem+json", path
        assert r.headers["WWW-Authenticate"] == "Bearer"
    s = follow(centre, Authorization="Bearer s3cret-of-the-centre-0123456789")
    s.until(lambda m: m.kind == "status")
    s.close()


def test_nodes_are_found_and_come_page_by_page(site):
    centre = site.centre()
    titles = {"north-1": "Grüße from Oslo", "north-2": "", "south-1": "OSLO harbour", "south-2": "x<img src=x onerror=1>"}
    for i, (name, title) in enumerate(titles.items()):
        assert centre.post("/v1/nodes", {"name": name, "url": f"http://127.0.0.1:{i + 1}", "title": title}).status == 201
    assert centre.post("/v1/nodes/north-2/pause").status == 202
    lab.wait_until("it is paused", lambda: centre.node("north-2")["state"] == "paused")

    def names(**query):
        found, after = [], None
        while True:
            page = centre.get("/v1/nodes?" + urllib.parse.urlencode({**query, **({"after": after} if after else {})})).json
            found += [n["name"] for n in page["nodes"]]
            after = page["next"]
            if after is None:
                return found

    worst = ["north-1", "south-1", "south-2", "north-2"]
    for limit in (1, 2, 3, 100):
        assert names(limit=limit) == names(limit=limit, order="worst") == worst
        assert names(limit=limit, order="name") == sorted(titles)
        assert names(limit=limit, q="oslo") == ["north-1", "south-1"]
    assert names(q="NORTH-") == ["north-1", "north-2"] and names(q="north", state="paused") == ["north-2"]
    assert names(q="grüße") == ["north-1"] and names(q="GRÜSSE") == [] and names(q="ü") == ["north-1"]
    assert names(q="") == worst and names(q="nowhere") == [] and names(q="onerror=1>") == ["south-2"]
    for bad in ("order=best", "after=x.a", "after=1.", "limit=0", "q=%ff"):
        assert centre.get("/v1/nodes?" + bad).status == 400, bad
