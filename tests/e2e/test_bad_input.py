"""Rubbish at every call gets the interface's answer, changes nothing, and the next good request works."""
import json

import pytest

import lab

GOOD = '{"id":"good","type":"t","body":1}'
DEEP = "[" * 65 + "]" * 65


pytestmark = pytest.mark.both_stores


@pytest.fixture(scope="module")
def ends(tmp_path_factory, store_kind, databases):
    path = tmp_path_factory.mktemp("bad-input")
    local = lab.Local(path, "a").start()
    centre = lab.Centre(path, [local], store=databases() if store_kind == "postgres" else None).start()
    local.write({"id": "seed", "body": 1})
    centre.in_sync("a")
    yield local, centre
    local.kill()
    centre.kill()


def state(ends):
    local, centre = ends
    s = local.status()
    return (s["head_seq"], s["digest"], centre.get("/v1/status").json["records"], [n["name"] for n in centre.nodes()])


@pytest.fixture
def unchanged(ends):
    before = state(ends)
    yield ends
    assert state(ends) == before


BAD_RECORDS = [
    ("", 400, "bad_json"), ("   ", 400, "bad_json"), ("{", 400, "bad_json"), ("nul", 400, "bad_json"),
    ('{"type":"t","body":1}x', 400, "bad_json"), ('{"type":"t","body":01}', 400, "bad_json"),
    ('{"type":"t","body":"\\u0000"}', 400, "bad_json"), ('{"type":"t","body":"\\ud800"}', 400, "bad_json"),
    (b'{"type":"t","body":"\xff"}', 400, "bad_json"), (b'{"type":"t","body":"\xed\xa0\x80"}', 400, "bad_json"),
    (b'{"type":"t","body":"a\x00b"}', 400, "bad_json"), ('\ufeff{"type":"t","body":1}'.encode(), 400, "bad_json"),
    ('{"type":"t","body":%s}' % DEEP, 400, "bad_json"),
    ("[" * 100000, 400, "bad_json"),
    ("1", 400, "bad_json"), ('"x"', 400, "bad_json"), ("[1]", 400, "bad_json"),
    ('{"body":1}', 400, "bad_type"), ('{"type":5,"body":1}', 400, "bad_type"), ('{"type":"T","body":1}', 400, "bad_type"),
    ('{"type":"","body":1}', 400, "bad_type"), ('{"type":"%s","body":1}' % ("t" * 33), 400, "bad_type"),
    ('{"type":"t"}', 400, "bad_request"),
    ('{"id":"a b","type":"t","body":1}', 400, "bad_id"), ('{"id":"","type":"t","body":1}', 400, "bad_id"),
    ('{"id":7,"type":"t","body":1}', 400, "bad_id"), ('{"id":"%s","type":"t","body":1}' % ("i" * 65), 400, "bad_id"),
    ('{"id":"\u00e9","type":"t","body":1}'.encode(), 400, "bad_id"),
    ('{"id":"x","id":"y","type":"t","body":1}', 400, "bad_json"),
    ('{"type":"t","body":"%s"}' % ("x" * (256 * 1024)), None, None),
    (GOOD + "\n" + '{"type":"t"}', 400, "bad_request"),
]


@pytest.mark.parametrize("body,status,code", BAD_RECORDS, ids=range(len(BAD_RECORDS)))
def test_post_records_at_the_local(unchanged, body, status, code):
    local, _ = unchanged
    r = local.post("/v1/records", body.encode() if isinstance(body, str) else body)
    assert r.headers["Content-Type"].startswith("application/problem+json"), r.body[:200]
    if status:
        assert (r.status, r.code) == (status, code), r.body
    else:
        assert r.status in (400, 413)
    assert r.json["detail"] and r.json["title"]


@pytest.mark.parametrize("body,status,code", BAD_RECORDS, ids=range(len(BAD_RECORDS)))
def test_post_records_at_the_centre(unchanged, body, status, code):
    _, centre = unchanged
    text = body.encode() if isinstance(body, str) else body
    if b'"type"' not in text:
        text = text.replace(b"{", b'{"owner":"a",', 1)
    r = centre.post("/v1/records", text.replace(b'"type"', b'"owner":"a","type"'))
    assert r.headers["Content-Type"].startswith("application/problem+json"), r.body[:200]
    if status:
        assert (r.status, r.code) == (status, code), r.body
    else:
        assert r.status in (400, 413)


def test_a_problem_names_the_line(unchanged):
    local, _ = unchanged
    r = local.post("/v1/records", GOOD + "\n" + GOOD.replace("good", "x y"))
    assert (r.status, r.code, r.json["line"]) == (400, "bad_id", 2)


def test_too_many_and_too_large(unchanged):
    local, _ = unchanged
    r = local.post("/v1/records", "\n".join('{"type":"t","body":1}' for _ in range(10001)))
    assert (r.status, r.code) == (413, "too_many_records")
    r = local.post("/v1/records", b" " * (8 * 1024 * 1024 + 1))
    assert (r.status, r.code) == (413, "body_too_large")


BAD_TARGETS = [
    ("GET", "/", 404), ("GET", "/v1", 404), ("GET", "/v1/nothing", 404), ("GET", "//v1/status", 404),
    ("GET", "/v1/../v1/status", 404), ("GET", "/v1/records/..%2f..%2fetc", 404), ("GET", "/v1/records/a%00b", 400),
    ("GET", "/v1/records/%zz", 400), ("GET", "/v1/records/nothing", 404), ("DELETE", "/v1/status", 405),
    ("POST", "/healthz", 405), ("TRACE", "/v1/status", 405), ("PUT", "/v1/records", 405),
    ("GET", "/v1/records?limit=0", 400), ("GET", "/v1/records?limit=1001", 400), ("GET", "/v1/records?limit=-1", 400),
    ("GET", "/v1/records?limit=x", 400), ("GET", "/v1/records?limit=1&limit=2", 400), ("GET", "/v1/records?what=1", 400),
    ("GET", "/v1/records?type=T", 400), ("GET", "/v1/records?deleted=maybe", 400),
    ("GET", "/v1/changes?epoch=xyz", 400), ("GET", "/v1/changes?witness=1", 400), ("GET", "/v1/changes?after=-1", 400),
    ("GET", "/v1/changes?after=1.5", 400), ("GET", "/v1/changes?after=99999999999999999999", 400),
    ("GET", "/v1/changes?check=" + "1" * 16, 400), ("POST", "/v1/apply?check=" + "1" * 16, 400), ("POST", "/v1/epoch?check=" + "1" * 16, 400),
    ("GET", "/v1/digest?bits=4&check=" + "1" * 16, 400), ("POST", "/v1/fetch?check=" + "1" * 16, 400),
    ("GET", "/v1/changes?limit=10001", 400), ("GET", "/v1/changes?wait=99999999", 400),
    ("GET", "/v1/changes?protocol=2-9", 400), ("GET", "/v1/changes?protocol=one", 400), ("GET", "/v1/changes", 409),
    ("GET", "/v1/digest?bits=17", 400), ("PUT", "/v1/records/a%20b", 400),
]


@pytest.mark.parametrize("method,target,status", BAD_TARGETS)
def test_targets_at_the_local(unchanged, method, target, status):
    local, _ = unchanged
    r = local.get(target) if method == "GET" else lab.call(local.url + target, method, '{"type":"t","body":1}' if method == "PUT" else None)
    assert r.status == status, r.body
    assert r.json["code"]


BAD_CENTRE = [
    ("GET", "/v1/nothing", None, 404), ("GET", "/v1/nodes/nobody", None, 404), ("GET", "/v1/nodes?state=fine", None, 400),
    ("GET", "/v1/nodes?limit=1001", None, 400), ("GET", "/v1/records?limit=0", None, 400),
    ("GET", "/v1/records/a", None, 404), ("GET", "/v1/records/a/nothing", None, 404),
    ("GET", "/v1/records/A%20B/x", None, 400), ("GET", "/v1/events?after=x", None, 400),
    ("GET", "/v1/events?level=loud", None, 400), ("DELETE", "/v1/nodes/nobody", None, 404),
    ("POST", "/v1/nodes/nobody/pull", None, 404), ("POST", "/v1/nodes/a/dance", None, 404),
    ("POST", "/v1/nodes", "", 400), ("POST", "/v1/nodes", "{}", 400), ("POST", "/v1/nodes", '{"name":"B","url":"http://127.0.0.1:1"}', 400),
    ("POST", "/v1/nodes", '{"name":"b","url":"file:///etc/passwd"}', 400), ("POST", "/v1/nodes", '{"name":"b","url":"nonsense"}', 400),
    ("POST", "/v1/nodes", '{"name":"b","url":"http://10.1.2.3:80"}', 400), ("POST", "/v1/nodes", '{"name":"b","url":"http://user:pw@127.0.0.1:9"}', 400),
    ("POST", "/v1/nodes", '{"name":"a","url":"http://127.0.0.1:9"}', 409), ("POST", "/v1/nodes", '{"name":7,"url":"http://127.0.0.1:9"}', 400),
    ("PUT", "/v1/records/nobody/x", '{"type":"t","body":1}', 404), ("PUT", "/v1/records/a/x", '{"type":"t"}', 400),
    ("DELETE", "/v1/records/a/nothing", None, 404),
    ("POST", "/v1/records", '{"type":"t","body":1}', 400), ("POST", "/v1/records", '{"owner":"nobody","type":"t","body":1}', 404),
]


@pytest.mark.parametrize("method,target,body,status", BAD_CENTRE)
def test_calls_at_the_centre(unchanged, method, target, body, status):
    _, centre = unchanged
    r = lab.call(centre.url + target, method, body)
    assert r.status == status, r.body
    assert r.json["code"]


@pytest.mark.parametrize("which", [0, 1])
def test_framing_hosts_and_origins(unchanged, which):
    url = unchanged[which].url
    host = url.removeprefix("http://")
    body = GOOD.encode()

    def ask(*lines, body=b"", method="POST", target="/v1/records"):
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(l + "\r\n" for l in lines) + "Connection: close\r\n\r\n"
        got = lab.raw(url, head.encode() + body)
        return int(got.split(b" ", 2)[1]) if got else None

    h = f"Host: {host}"
    assert ask(h, f"Content-Length: {len(body)}", "Content-Length: 5", body=body) == 400
    assert ask(h, f"Content-Length: {len(body)}", "Transfer-Encoding: chunked", body=b"0\r\n\r\n") == 400
    assert ask(h, "Transfer-Encoding: chunked", body=b"0\r\n\r\n") == 411
    assert ask(h, "Content-Length: -1") in (400, None)
    assert ask(h, "Content-Length: 9223372036854775807") == 413
    assert ask("Host: evil.example", f"Content-Length: {len(body)}", body=body) == 403
    assert ask(h, h, f"Content-Length: {len(body)}", body=body) == 400
    assert ask(h, "Origin: http://evil.example", f"Content-Length: {len(body)}", body=body) == 403
    assert ask(h, "Content-Type: text/xml", f"Content-Length: {len(body)}", body=body) == 415
    assert ask(h, "Content-Encoding: gzip", f"Content-Length: {len(body)}", body=body) == 415
    assert ask(h, method="GET", target="/v1/status") == 200


def test_pushes_that_are_wrong(unchanged):
    local, _ = unchanged
    epoch = local.status()["epoch"]
    for body in ('{"from":"x"}', "[]", "", '{"from":1,"to":2}'):
        assert local.post("/v1/epoch", body).status == 400
    assert local.post(f"/v1/apply?epoch={'0' * 32}", "").status == 409
    r = local.post(f"/v1/apply?epoch={epoch}", '{"id":"x"}\nnonsense\n')
    assert r.status == 200
    answers = [json.loads(l) for l in r.body.decode().splitlines()[1:-1]]
    assert [a["result"] for a in answers] == ["rejected", "rejected"]
    for body in ('{"bits":4,"buckets":[16]}', '{"bits":99,"buckets":[]}', '{"bits":4}', "7"):
        assert local.post("/v1/fetch", body).status == 400


def test_after_all_that_good_requests_work(ends):
    local, centre = ends
    assert local.post("/v1/records", GOOD).status == 201
    centre.in_sync("a")
    assert centre.get("/v1/records/a/good").json["body"] == 1
