"""What nodes send comes packed where both ends agree, and as it is where one does not know how: the same records either way."""
import gzip
import json
import re
import secrets
import signal
import urllib.parse

import pytest

import lab
import proc
import protocol1
from netns import ADDRESS, Away

RECORDS = 2000


def records(n=RECORDS):
    return ({"id": f"r{i}", "type": "reading", "body": {"sensor": f"temp-{i % 7}", "value": i / 100, "unit": "°C"}} for i in range(n))


def moved(centre, what="answer"):
    """Bytes of what nodes answered, or were sent: (as its content, as it went)."""
    text = centre.get("/metrics").body.decode()
    return tuple(int(re.search(rf'tidemark_{what}_bytes_total{{as="{a}"}} (\d+)', text)[1]) for a in ("content", "wire"))


def is_packed(centre, what="answer"):
    content, wire = moved(centre, what)
    assert wire == content or wire < content / 3, (content, wire)
    return wire < content


@pytest.mark.parametrize("mode,packed", [("always", True), (None, False)])
def test_a_pull_is_packed_as_the_centre_was_told(site, mode, packed):
    """--compress always packs pages; without a word they are not, over loopback."""
    l = site.local("a")
    l.write(*records())
    centre = site.centre(l, options=["--compress", mode] if mode else [])
    centre.in_sync("a")
    assert centre.node("a")["proof"]["count"] == RECORDS
    assert is_packed(centre) == packed


def test_it_is_changed_by_a_reload(site):
    """SIGHUP takes another --compress, from the next request on."""
    l = site.local("a")
    conf = site.path / "centre.conf"
    conf.write_text("compress = never\n")
    centre = site.centre(l, options=["--config", conf])
    l.write(*records())
    centre.in_sync("a")
    assert not is_packed(centre)
    conf.write_text("compress = always\n")
    centre.process.send_signal(signal.SIGHUP)
    lab.wait_until("reloaded", lambda: " reloaded " in centre.log_text())
    before = moved(centre)
    l.write(*({**r, "id": "s" + r["id"]} for r in records()))
    centre.in_sync("a")
    content, wire = (now - then for now, then in zip(moved(centre), before))
    assert wire < content / 3, (content, wire)


def test_a_comparison_by_buckets_is_packed_too(site):
    """A row that the centre lost is found by digests and fetched, all packed, and both ends are equal again."""
    l = site.local("a")
    l.write(*records())
    centre = site.centre(l, options=["--compress", "always"])
    centre.in_sync("a")
    centre.stop()
    with lab.sqlite3.connect(centre.store.path) as db:
        db.execute("DELETE FROM records WHERE id = 'r7'")
    centre.start()
    centre.tool("verify", "a")
    lab.wait_until("the record is back", lambda: centre.get("/v1/records/a/r7").status == 200)
    centre.in_sync("a")
    assert is_packed(centre)


def test_a_push_is_packed_where_the_local_takes_that(site):
    """A wiped local is refilled by packed pushes, and both are equal afterwards."""
    l = site.local("a")
    l.write(*records())
    centre = site.centre(l, options=["--compress", "always"])
    centre.in_sync("a")
    l.kill()
    l.wipe()
    l.start()
    lab.wait_until("refilled", lambda: l.status()["records"] == RECORDS)
    centre.in_sync("a")
    assert centre.node("a")["proof"]["count"] == RECORDS
    assert moved(centre, "sent")[0] > RECORDS * 200
    assert is_packed(centre, "sent") and is_packed(centre)


class OldLocal(protocol1.Local):
    """Of another make, which knows nothing of it; it keeps what it was asked with."""

    def handler(self):
        local = self
        self.accepted = set()

        class Handler(super().handler()):
            def answer(self):
                local.accepted.add(self.headers.get("Accept-Encoding"))
                assert "Content-Encoding" not in self.headers
                super().answer()

            do_GET = do_POST = answer

        return Handler


class GzipLocal(protocol1.Local):
    """Of another make, which knows gzip alone, packs all that it says, and takes pushes so."""

    def handler(self):
        local = self
        self.taken = set()

        class Handler(super().handler()):
            def answer(self):
                assert "gzip" in self.headers["Accept-Encoding"]
                coding, body = self.headers.get("Content-Encoding"), self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if coding:
                    assert coding == "gzip"
                    body = gzip.decompress(body)
                parts = urllib.parse.urlsplit(self.path)
                if parts.path == "/v1/apply":
                    local.taken.add(coding)
                status, media, text = local.serve(parts.path, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)), body)
                packed = gzip.compress(text.encode())
                self.send_response(status)
                for name, value in (("Content-Type", media), ("Content-Encoding", "gzip"), ("Accept-Encoding", "gzip"), ("Content-Length", len(packed))):
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(packed)

            do_GET = do_POST = answer

        return Handler


@pytest.mark.parametrize("make", [OldLocal, GzipLocal])
def test_locals_of_other_makes(site, make):
    """A local that does not know of it answers as it is, one that packs by gzip is read: in step, and pushed to, with both."""
    l = make("old")
    try:
        for i in range(30):
            l.write(f"r{i}", f'{{"v":{i}}}')
        centre = site.centre(options=["--compress", "always"])
        assert centre.post("/v1/nodes", {"name": "old", "url": l.url}).status == 201
        centre.in_sync("old")
        body = {"type": "t", "body": "long " * 1000}
        assert lab.call(f"{centre.url}/v1/records/old/c1", "PUT", json.dumps(body)).status == 201
        lab.wait_until("it was pushed", lambda: "c1" in l.rows)
        centre.in_sync("old")
        for what in ("answer", "sent"):
            assert (moved(centre, what)[0] == moved(centre, what)[1]) == (make is OldLocal)
        assert l.accepted == {"zstd, gzip"} if make is OldLocal else l.taken == {"gzip"}
    finally:
        l.close()


class Replaced(GzipLocal):
    """It is moved to a machine whose make knows nothing of packed bodies."""

    def handler(self):
        local, super_handler = self, super().handler()
        self.old, self.unreadable = False, 0

        class Handler(super_handler):
            def answer(self):
                if not local.old:
                    return super().do_GET()
                local.unreadable += "Content-Encoding" in self.headers
                return protocol1.Local.handler(local).answer(self)

            do_GET = do_POST = answer

        return Handler


def test_what_one_end_takes_is_not_sent_to_another(site):
    """A node that is moved to a local of an older make is pushed to as it is, at once: what was said at its URL before holds no more."""
    l = Replaced("a")
    try:
        l.write("r0", '{"v":0}')
        centre = site.centre(options=["--compress", "always"])
        assert centre.post("/v1/nodes", {"name": "a", "url": l.url}).status == 201
        centre.in_sync("a")
        assert centre.post("/v1/nodes/a/pause").status in (200, 202)
        body = {"type": "t", "body": "long " * 1000}
        assert lab.call(f"{centre.url}/v1/records/a/c1", "PUT", json.dumps(body)).status == 201
        l.old = True
        moved_to = l.url.replace("127.0.0.1", "localhost")
        assert lab.call(f"{centre.url}/v1/nodes/a", "PATCH", json.dumps({"url": moved_to})).status == 200
        assert centre.post("/v1/nodes/a/resume").status in (200, 202)
        lab.wait_until("it was pushed", lambda: "c1" in l.rows)
        centre.in_sync("a")
        assert l.unreadable == 0
    finally:
        l.close()


def test_a_centre_of_another_make(site):
    """One that does not ask for it gets everything as it is."""
    l = site.local("a")
    l.write(*records(300))
    centre = protocol1.Centre(l.url)
    centre.meet()
    centre.pull(limit=100)
    assert len(centre.records) == 300


def test_any_client_may_ask_for_it(site):
    """A page by gzip for who takes that alone; weights count; small answers come as they are; it says that it varies."""
    l = site.local("a")
    l.write(*records(300))
    target = l.url + "/v1/changes" + protocol1.Centre(l.url).query(after=0).replace("epoch=", "epoch=" + l.status()["epoch"])
    plain = lab.call(target)
    assert plain.status == 200 and plain.headers["Content-Encoding"] is None and plain.headers["Vary"] == "Accept-Encoding"
    for accepted, coding in (("gzip", "gzip"), ("gzip, zstd", "zstd"), ("zstd;q=0.1, gzip", "gzip"), ("zstd;q=0, gzip;q=0", None), ("br", None)):
        r = lab.call(target, headers={"Accept-Encoding": accepted})
        assert r.status == 200 and r.headers["Content-Encoding"] == coding and r.headers["Vary"] == "Accept-Encoding", accepted
        assert r.headers["Content-Length"] == str(len(r.body)) and (coding is None) == (len(r.body) > len(plain.body) / 2)
        if coding == "gzip":
            assert gzip.decompress(r.body).splitlines()[1:-1] == plain.body.splitlines()[1:-1]
    refused = lab.call(l.url + "/v1/changes", headers={"Accept-Encoding": "zstd"})
    assert refused.status == 409 and refused.headers["Content-Encoding"] is None and refused.code == "epoch_changed"


def zstd_of_one_byte(n):
    """By hand: blocks of 128 KiB, four bytes each."""
    whole, rest = divmod(n, 128 << 10)
    blocks = [128 << 10] * whole + [rest]
    return b"\x28\xb5\x2f\xfd\0\x58" + b"".join(
        (size << 3 | 2 | (i == len(blocks) - 1)).to_bytes(3, "little") + b"x" for i, size in enumerate(blocks))


def test_a_local_takes_packed_pushes_and_no_bombs(site):
    """A push by gzip is applied; one that is damaged, cut, followed by more, of another coding or a bomb is refused, changes nothing,
    takes no memory, and the next good one works.  Elsewhere nothing packed is taken."""
    l = site.local("a")
    l.write(*records(5))
    centre = protocol1.Centre(l.url)
    centre.meet()
    centre.pull()
    plain = lab.call
    packing = {}

    def call(url, method="GET", body=None, headers=None, **kw):
        if body is not None and packing:
            body, headers = packing["pack"](body.encode()), {**(headers or {}), "Content-Encoding": packing["coding"]}
        return plain(url, method, body, headers=headers, **kw)

    def push(coding, pack):
        packing.update(coding=coding, pack=pack)
        try:
            lab.call = call
            return centre.edit("r1", '"again"')
        finally:
            lab.call = plain

    def refused(coding, pack):
        packing.update(coding=coding, pack=pack)
        return call(l.url + "/v1/apply" + centre.query(), "POST", "{}\n")

    before = l.get("/v1/records/r1").body
    for coding, pack, status, says in (
            ("gzip", lambda b: gzip.compress(b)[:-1], 400, "cut short"),
            ("gzip", lambda b: gzip.compress(b) + b"x", 400, "followed by 1 other bytes"),
            ("gzip", lambda b: b, 400, "damaged"),
            ("zstd", gzip.compress, 400, "damaged"),
            ("br", lambda b: b, 415, "by zstd, by gzip, or without"),
            ("gzip, gzip", lambda b: gzip.compress(gzip.compress(b)), 415, "by zstd, by gzip, or without"),
            ("gzip", lambda b: gzip.compress(bytes(64 << 20), 1), 413, "unpacked the body has more than"),
            ("zstd", lambda b: zstd_of_one_byte(8 << 30), 413, "unpacked the body has more than")):
        r = refused(coding, pack)
        assert r.status == status and says in r.json["detail"], (coding, r.body)
        assert status != 415 or r.headers["Accept-Encoding"] == "zstd, gzip"
    assert l.get("/v1/records/r1").body == before
    assert proc.resident_mib(l.process.pid, peak=True) < 48
    assert push("gzip", gzip.compress)["result"] == "applied"
    assert l.get("/v1/records/r1").json["body"] == "again"
    r = lab.call(l.url + "/v1/records", "POST", gzip.compress(b'{"type":"t","body":1}'), headers={"Content-Encoding": "gzip"})
    assert r.status == 415 and r.code == "unsupported_media_type"


def test_beyond_loopback_it_is_packed_by_default(site, cable, monkeypatch):
    """Without a word a centre and a site on a network send pages packed."""
    token = lab.private_file(site.path / "token", secrets.token_urlsafe(32))
    monkeypatch.setenv("TIDEMARK_TOKEN_FILE", str(token))
    with cable.at("centre"), lab.authorised(lambda url: token):
        centre = site.centre(options=["--secret-file", token, "--allow-network", "10.77.0.0/24", "--allow-plain-http"])
        key = lab.private_file(site.path / "a.token", centre.tool("node", "add", "a", f"http://{ADDRESS['site']}:7101").stdout)
        l = Away(cable, site.path, "a", 7101, options=["--token-file", key, "--app-token-file", token, "--allow-plain-http"])
        site.adopt(l)
        l.write(*records())
        centre.in_sync("a")
        lab.wait_until("all of it", lambda: centre.node("a")["proof"]["count"] == RECORDS)
        assert is_packed(centre)
