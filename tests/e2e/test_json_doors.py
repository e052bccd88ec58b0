"""One table of what is JSON (tests/support/json_cases), at every call of both programs that takes some, and in files."""
import http.client
import json
import subprocess
import urllib.parse

import pytest

import json_cases
import lab
import protocol1

pytestmark = pytest.mark.both_stores

CASES = json_cases.cases()


@pytest.fixture(scope="module")
def ends(tmp_path_factory, store_kind, databases):
    path = tmp_path_factory.mktemp("json-doors")
    local = lab.Local(path, "a").start()
    centre = lab.Centre(path, [local], store=databases() if store_kind == "postgres" else None).start()
    yield local, centre
    centre.kill()
    local.kill()


class Line:
    """One connection for many requests."""

    def __init__(self, program):
        parts = urllib.parse.urlsplit(program.url)
        self.conn = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)

    def ask(self, method, target, body=None):
        self.conn.request(method, target, body=body)
        r = self.conn.getresponse()
        return lab.Reply(r.status, r.headers, r.read())


def on_one_line(text):
    """As a body is kept."""
    return text.strip(b" \t\r\n").replace(b"\n", b" ").replace(b"\r", b" ")


def refused(r, text):
    assert (r.status, r.code) == (400, "bad_json"), (text[:200], r.body)
    assert r.json["detail"], text


def kept(r, text):
    assert r.status == 200
    assert b'"body":' + on_one_line(text) + b',"hash"' in r.body, (text[:200], r.body[:400])


@pytest.mark.parametrize("which", ["local", "centre"])
def test_bodies_that_are_posted_and_put(ends, which):
    line = Line(ends[which == "centre"])
    base, owner = ("/v1/records/a/", b'"owner":"a",') if which == "centre" else ("/v1/records/", b"")
    for n, (verdict, text) in enumerate(CASES):
        posted, put = f"{which}.post.{n}", f"{which}.put.{n}"
        r = line.ask("POST", "/v1/records", b'[{%s"id":"%s","type":"t","body":%s}]' % (owner, posted.encode(), text))
        if verdict == "yes":
            assert r.status == 201, (text, r.body)
            kept(line.ask("GET", base + posted), text)
        else:
            refused(r, text)
            assert line.ask("GET", base + posted).status == 404
        r = line.ask("PUT", base + put, b'{"type":"t","body":%s}' % text)
        if verdict == "yes":
            assert r.status == 201, (text, r.body)
            kept(line.ask("GET", base + put), text)
        else:
            refused(r, text)
            assert line.ask("GET", base + put).status == 404


def test_texts_that_are_the_whole_request(ends):
    """JSON or not, none of them is what these calls want: 400, and nothing moves."""
    local, centre = ends
    before = local.status()["head_seq"], [n["name"] for n in centre.nodes()]
    calls = [(Line(local), "POST", "/v1/records"), (Line(local), "POST", "/v1/fetch"), (Line(local), "POST", "/v1/epoch"),
             (Line(centre), "POST", "/v1/records"), (Line(centre), "POST", "/v1/nodes"), (Line(centre), "PATCH", "/v1/nodes/a")]
    for line, method, target in calls:
        for verdict, text in CASES:
            if target == "/v1/nodes/a" and verdict == "yes" and text.strip()[:1] == b"{":
                continue  # an object without url and title changes nothing, and is no fault
            r = line.ask(method, target, text)
            if target == "/v1/records" and verdict == "yes" and json.loads(text) == []:
                assert r.status == 201 and r.json["records"] == []
                continue
            assert r.status in (400, 413) and r.code and r.json["detail"], (target, text[:200], r.body)
    assert before == (local.status()["head_seq"], [n["name"] for n in centre.nodes()])


def test_members_that_nobody_wants(ends):
    """They are passed over, and must be JSON all the same; where cJSON reads, keys may not come twice either."""
    local, centre = ends
    fetch, nodes = Line(local), Line(centre)
    basis = f"centre={'0' * 32}&request={'1' * 32}&protocol=1&epoch={local.status()['epoch']}&witness=0.{'0' * 32}"
    for verdict, text in CASES:
        r = fetch.ask("POST", "/v1/fetch?" + basis, b'{"bits":4,"news":%s,"buckets":[]}' % text)
        assert r.status == (200 if verdict == "yes" else 400), (text, r.body)
        if len(text) > 16000:
            continue  # too large for the next call, whatever it is
        r = nodes.ask("POST", "/v1/nodes", b'{"name":"NO NAME","news":%s,"url":"none"}' % text)
        if verdict == "yes" and r.code != "bad_json":
            assert (r.status, r.code) == (400, "bad_request")
        elif verdict == "yes":
            assert "is there twice" in r.json["detail"] or "too deeply" in r.json["detail"], r.body
        else:
            refused(r, text)


def test_members_that_come_twice(ends):
    local, centre = ends
    bad = [b'{"id":"twice","type":"t","body":1,"%s":%s}' % (name, value) for name, value in
           [(b"id", b'"x"'), (b"\\u0069d", b'"x"'), (b"type", b'"t"'), (b"t\\u0079pe", b'"t"'), (b"body", b"1"), (b"bod\\u0079", b"1")]]
    for text in bad:
        refused(local.post("/v1/records", text), text)
        refused(centre.post("/v1/records", b'{"owner":"a",' + text[1:]), text)
    for text in (b'{"owner":"a","\\u006fwner":"a","id":"twice","type":"t","body":1}',):
        refused(centre.post("/v1/records", text), text)
    for text in (b'{"bits":4,"bits":5,"buckets":[]}', b'{"bits":4,"buckets":[],"b\\u0075ckets":[1]}'):
        assert local.post("/v1/fetch", text).status == 400
    for text in (b'{"name":"b","n\\u0061me":"c","url":"http://127.0.0.1:9"}',):
        refused(centre.post("/v1/nodes", text), text)
    # and by any spelling a name is a name; what is twice inside a body stays
    r = local.post("/v1/records", b'{"\\u0069d":"spelled","typ\\u0065":"t","b\\u006fdy":{"id":1,"\\u0069d":2,"id":3}}')
    assert r.status == 201 and r.json["records"][0]["id"] == "spelled"
    assert b'"body":{"id":1,"\\u0069d":2,"id":3}' in local.get("/v1/records/spelled").body


def pushed(n, text):
    r = {"owner": "a", "id": f"pushed.{n}", "type": "t", "deleted": False, "dot": "4000000000000007.%d" % (n + 1)}
    data = protocol1.field(r["owner"]) + protocol1.field(r["id"]) + protocol1.field("t") + bytes([0])
    actor, m = protocol1.dot_of(r["dot"])
    data += protocol1.u64(actor) + protocol1.u64(m) + protocol1.u32(1) + protocol1.u64(actor) + protocol1.u64(m)
    digest = protocol1.blake(data + protocol1.field(text)).hex()
    head = json.dumps(r)[:-1].encode()
    return head + b',"body":%s,"hash":"%s","created_at":"%s","updated_at":"%s","expected":null}\n' % (
        text, digest.encode(), protocol1.STAMP.encode(), protocol1.STAMP.encode())


def test_bodies_that_are_pushed(ends):
    """Each in a push of its own among good ones: only it is refused."""
    local, _ = ends
    line = Line(local)
    epoch = local.status()["epoch"]
    for n, (verdict, text) in enumerate(CASES):
        text = text.strip(b" \t\r\n")
        if b"\n" in text:
            continue  # two lines, and none of them the case
        body = pushed(2 * n, text) + pushed(2 * n + 1, b"0")
        r = line.ask("POST", f"/v1/apply?epoch={epoch}", body)
        assert r.status == 200, r.body
        answers = {a["id"]: a["result"] for a in map(json.loads, r.body.decode().splitlines()[1:-1])}
        assert answers.pop(f"pushed.{2 * n + 1}") == "applied"
        taken = verdict == "yes" and b"\r" not in text
        assert list(answers.values()) == ["applied" if taken else "rejected"], (text[:200], r.body)


def test_both_ends_hold_what_was_taken(ends):
    """Whatever the table allows, the centre's store holds too, and a push back to the local."""
    local, centre = ends
    centre.in_sync("a")
    assert lab.same_records(local, centre) > 4 * sum(v == "yes" for v, _ in CASES)


def test_the_tool_reads_the_deepest_bodies(ends):
    local, centre = ends
    deep = b"[" * 64 + b"]" * 64
    assert centre.post("/v1/records", b'{"owner":"a","id":"deepest","type":"deep","body":%s}' % deep).status == 201
    assert f'"body":{deep.decode()},' in centre.tool("record", "a/deepest").stdout
    assert "deepest" in centre.tool("records", "--type", "deep").stdout
    assert "deepest" in centre.tool("export", "--type", "deep").stdout


def test_a_conflict_over_the_deepest_bodies_is_settled(ends):
    """They stand some levels deeper in what tells of them."""
    local, centre = ends
    deep = ["[" * 64 + "]" * 64, "[" * 63 + "{}" + "]" * 63]
    local.post("/v1/records", '{"id":"both","type":"t","body":%s}' % deep[0])
    centre.in_sync("a")
    centre.post("/v1/nodes/a/pause")
    assert centre.post("/v1/records", '{"owner":"a","id":"both","type":"t","body":%s}' % deep[1]).status == 201
    local.post("/v1/records", '{"id":"both","type":"t","body":[%s]}' % deep[0][1:-1].replace("[[", "[ [", 1))
    centre.post("/v1/nodes/a/resume")
    centre.in_sync("a")
    assert lab.same_records(local, centre)
    assert "both" in centre.tool("conflicts").stdout
    assert deep[1] in centre.get("/v1/conflicts").body.decode()  # the loser


def imported(local, text, *options):
    return subprocess.run([lab.BIN / "tidemark-local", "import", "--to", local.url, "--quiet", "--json", *options, "-"],
                          input=text, capture_output=True, timeout=60)


def test_values_in_files(ends):
    """What the table calls JSON is taken from a file, and nothing else is."""
    local, _ = ends
    good = [t for v, t in CASES if v == "yes"]
    r = imported(local, b"[" + b",\n".join(good) + b"]", "--format", "json", "--type", "doc", "--id-prefix", "doc")
    assert r.returncode == 0, r.stderr
    lines = [t for t in good if b"\n" not in t and b"\r" not in t]
    r = imported(local, b"\n".join(lines), "--format", "ndjson", "--type", "line", "--id-prefix", "line")
    assert r.returncode == 0, r.stderr
    held = {k[1]: 1 for k in lab.all_records(local.url, "?type=doc")}
    assert len(held) == len(good)
    assert len(lab.all_records(local.url, "?type=line")) == len(lines)
    for n, text in enumerate(good, 1):
        kept(local.get(f"/v1/records/doc:{n:010}"), text)


def test_what_is_not_json_ends_an_import_at_its_line(ends, store_kind):
    if store_kind == "postgres":
        pytest.skip("nothing of it comes to the centre")
    local, _ = ends
    before = local.status()["head_seq"]
    for verdict, text in CASES:
        if verdict == "yes" or not text.strip() or b"\n" in text:
            continue
        r = imported(local, b"\n\n" + text + b"\n0\n", "--format", "ndjson", "--type", "bad", "--id-prefix", "bad")
        assert r.returncode == 1, (text[:200], r)
        assert b":3: " in r.stderr, r.stderr
    assert local.status()["head_seq"] == before
