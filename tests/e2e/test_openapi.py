"""/openapi.yaml of both programs: whole, true to the routes, and true to what is answered."""
import json
import secrets
import subprocess

import lab
from openapi import Document


def document(program, directory, name):
    r = program.get("/openapi.yaml")
    assert r.status == 200 and r.headers["Content-Type"] == "application/yaml"
    assert r.body == (lab.TOP / directory / "openapi.yaml").read_bytes()
    d = Document(r.body)
    version = subprocess.run([lab.BIN / name, "--version"], capture_output=True, text=True, timeout=10).stdout.split()[1]
    assert d.doc["info"]["version"] == version
    d.check_shape()
    d.check_routes(directory)
    return d


def ask(program, d, method, path, body=None, query="", headers=None, status=None, **values):
    """One call, its answer held against the document."""
    target = path.format(**values) + query
    data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
    r = lab.call(program.url + target, method.upper(), data, headers=headers)
    assert status is None or r.status == status, (target, r.status, r.body)
    d.check_answer("get" if method == "head" else method, path, r)
    return r


def quarantine(a, centre, d):
    """Two records that the store refuses: one is taken later, one given up."""
    centre.stop()
    centre.store.refuse_poison(True)
    centre.start()
    a.write({"id": "q1", "body": "poison"}, {"id": "q2", "body": "more poison"})
    centre.in_sync("a")
    assert len(ask(centre, d, "get", "/v1/quarantine", status=200).json["quarantine"]) == 2
    for call in (("post", "/v1/quarantine/{id}/retry"), ("delete", "/v1/quarantine/{id}")):
        ask(centre, d, *call, id="1", status=409)
    centre.stop()
    centre.store.refuse_poison(False)
    centre.start()
    ask(centre, d, "post", "/v1/quarantine/{id}/retry", id="1", status=200)
    a.stop()
    a.wipe()
    a.start()
    centre.in_sync("a")
    ask(centre, d, "delete", "/v1/quarantine/{id}", id="2", status=200)


def with_a_secret(centre, d):
    """What takes one: another token of a node, sessions, and API tokens; for the centre's last start."""
    ask(centre, d, "get", "/v1/session", status=200)
    ask(centre, d, "post", "/v1/session", {"token": "x"}, status=409)
    ask(centre, d, "post", "/v1/tokens", {"name": "t", "role": "viewer"}, status=409)
    assert "node.rotated" not in {e["kind"] for e in centre.all_events()}
    secret = lab.private_file(centre.directory / "secret", secrets.token_hex(16))
    centre.stop()
    centre.options += ["--secret-file", str(secret)]
    centre.start()
    admin = {"Authorization": f"Bearer {secret.read_text()}"}
    ask(centre, d, "post", "/v1/nodes/{name}/rotate", name="a", headers=admin, status=200)
    ask(centre, d, "post", "/v1/session", {"token": secret.read_text()}, status=200)
    ask(centre, d, "post", "/v1/session", {"token": "x"}, status=401)
    ask(centre, d, "get", "/v1/session", headers=admin, status=200)
    ask(centre, d, "delete", "/v1/session", status=200)
    made = ask(centre, d, "post", "/v1/tokens", {"name": "t", "role": "viewer", "expires_s": 60}, headers=admin, status=201).json
    viewer = {"Authorization": f"Bearer {made['token']}"}
    ask(centre, d, "get", "/v1/tokens", headers=viewer, status=403)
    ask(centre, d, "get", "/v1/tokens", query="?limit=1", headers=admin, status=200)
    for body in ({"name": "t", "role": "admin"}, {"name": "u"}, {"name": "secret", "role": "viewer"}, {"name": "u", "role": "viewer", "expires_s": 0}):
        ask(centre, d, "post", "/v1/tokens", body, headers=admin, status=409 if body["name"] == "t" else 400)
    ask(centre, d, "delete", "/v1/tokens/{name}", name="t", headers=admin, status=200)
    ask(centre, d, "delete", "/v1/tokens/{name}", name="t", headers=admin, status=404)


def test_the_centre_answers_as_its_document_says(site):
    a = site.local("a")
    centre = site.centre(a, options=["--notify-command", "/bin/true"])
    d = document(centre, "central", "tidemark-central")
    a.write(*({"id": f"r{i}", "body": i} for i in range(5)))
    for path in ("/healthz", "/readyz", "/", "/v1", "/metrics", "/v1/status", "/openapi.yaml", "/v1/backup"):
        ask(centre, d, "get", path, status=200)
    ask(centre, d, "get", "/", headers={"Accept": "text/plain"}, status=200)
    for f in (lab.TOP / "central" / "page").iterdir():
        assert ask(centre, d, "get", "/page/{name}", name=f.name, status=200).body == f.read_bytes()
    ask(centre, d, "get", "/page/{name}", name="none.js", status=404)
    ask(centre, d, "head", "/v1/events/stream", status=200)
    ask(centre, d, "get", "/v1/events/stream", query="?after=x", status=400)
    b = {"name": "b", "url": "http://127.0.0.1:9", "title": "away"}
    ask(centre, d, "post", "/v1/nodes", b, status=201)
    ask(centre, d, "post", "/v1/nodes", b, status=409)
    ask(centre, d, "post", "/v1/nodes", "{", status=400)
    ask(centre, d, "patch", "/v1/nodes/{name}", {"title": "far"}, name="b", status=200)
    centre.in_sync("a")
    ask(centre, d, "get", "/v1/nodes", status=200)
    assert ask(centre, d, "get", "/v1/nodes", query="?limit=1", status=200).json["next"]
    ask(centre, d, "get", "/v1/nodes", query="?state=nonsense", status=400)
    ask(centre, d, "get", "/v1/nodes", query="?order=name&q=A", status=200)
    ask(centre, d, "get", "/v1/nodes", query="?order=best", status=400)
    ask(centre, d, "get", "/v1/nodes/{name}", name="a", status=200)
    ask(centre, d, "get", "/v1/nodes/{name}", name="nobody", status=404)
    for path in ("/v1/nodes/{name}/why", "/v1/nodes/{name}/safe"):
        ask(centre, d, "get", path, name="a", status=200)
        ask(centre, d, "get", path, name="b", status=200)
        ask(centre, d, "get", path, name="nobody", status=404)
    ask(centre, d, "get", "/v1/nodes/{name}/check", name="a", status=200)
    ask(centre, d, "get", "/v1/nodes/{name}/check", name="a", query="?after=no%20id", status=400)
    ask(centre, d, "get", "/v1/nodes/{name}/check", name="nobody", status=404)
    ask(centre, d, "get", "/v1/nodes/{name}/safe", name="a", query="?since=0&position=1", status=200)
    ask(centre, d, "get", "/v1/nodes/{name}/safe", name="a", query="?since=x", status=400)
    ask(centre, d, "get", "/v1/nodes/{name}/token", name="a", status=200)
    ask(centre, d, "post", "/v1/nodes/{name}/rotate", name="a", status=409)
    for verb in ("pull", "push", "verify", "pause", "resume"):
        ask(centre, d, "post", "/v1/nodes/{name}/{verb}", name="a", verb=verb, status=202)
    ask(centre, d, "post", "/v1/nodes/{name}/{verb}", name="a", verb="dance", status=404)
    ask(centre, d, "delete", "/v1/nodes/{name}", name="b", status=200)

    quarantine(a, centre, d)
    ask(centre, d, "get", "/v1/quarantine", query="?limit=0", status=400)
    ask(centre, d, "post", "/v1/quarantine/{id}/retry", id="1", status=404)
    ask(centre, d, "delete", "/v1/quarantine/{id}", id="1", status=404)
    record = "/v1/records/{owner}/{id}"
    ask(centre, d, "put", record, {"type": "t", "body": {"x": 1.50}}, owner="a", id="new", status=201)
    ask(centre, d, "put", record, {"type": "t", "body": 2}, owner="a", id="r0", status=200)
    ask(centre, d, "put", record, {"type": "t", "body": 3}, owner="a", id="r0", headers={"If-None-Match": "*"}, status=412)
    ask(centre, d, "get", record, owner="a", id="r0", status=200)
    ask(centre, d, "delete", record, owner="a", id="r1", status=200)
    assert ask(centre, d, "get", record, owner="a", id="r1", status=404).json["hash"]
    ask(centre, d, "post", "/v1/records", [{"owner": "a", "type": "t", "body": None}], status=201)
    assert ask(centre, d, "post", "/v1/records", [{"owner": "a", "type": "T", "body": None}], status=400).json["line"] == 1
    assert ask(centre, d, "get", "/v1/records", query="?limit=2&deleted=true&owner=a", status=200).json["next"]
    centre.in_sync("a")

    a.stop()
    ask(centre, d, "put", record, {"type": "t", "body": "centre"}, owner="a", id="r2", status=200)
    centre.stop()
    a.start()
    a.write({"id": "r2", "body": "site"})
    centre.start()
    centre.in_sync("a")
    (lost,) = ask(centre, d, "get", "/v1/conflicts", status=200).json["conflicts"]
    ask(centre, d, "post", "/v1/conflicts/{id}/promote", id=lost["id"], status=200)
    ask(centre, d, "post", "/v1/conflicts/{id}/promote", id=999, status=404)
    ask(centre, d, "get", "/v1/events", query="?node=a&level=info&limit=1000", status=200)
    assert ask(centre, d, "get", "/v1/events", query="?after=1&limit=1", status=200).json["next"]
    ask(centre, d, "post", "/v1/notifications/test", status=202)
    lab.wait_until("it is told", lambda: ask(centre, d, "get", "/v1/notifications/receivers", status=200).json["receivers"][0]["waiting"] == 0)
    assert ask(centre, d, "get", "/v1/notifications", query="?limit=1000", status=200).json["notifications"]
    ask(centre, d, "get", "/v1/notifications", query="?limit=0", status=400)
    with_a_secret(centre, d)
    d.check_all_answered()


def test_a_local_answers_as_its_document_says(site):
    a = site.local("a")
    d = document(a, "local", "tidemark-local")
    for path in ("/healthz", "/readyz", "/metrics", "/v1/status", "/openapi.yaml"):
        ask(a, d, "get", path, status=200)
    ask(a, d, "post", "/v1/records", [{"id": f"r{i}", "type": "t", "body": i} for i in range(5)], status=201)
    assert ask(a, d, "post", "/v1/records", '{"type":"t","body":1}\n{"type":"t"}', status=400).json["line"] == 2
    ask(a, d, "put", "/v1/records/{id}", {"type": "t", "body": []}, id="r0", status=200)
    ask(a, d, "put", "/v1/records/{id}", {"type": "t", "body": []}, id="new", status=201)
    ask(a, d, "get", "/v1/records/{id}", id="r0", status=200)
    ask(a, d, "delete", "/v1/records/{id}", id="r1", status=200)
    assert ask(a, d, "get", "/v1/records/{id}", id="r1", status=404).json["hash"]
    assert ask(a, d, "get", "/v1/records", query="?limit=2&deleted=true&type=t", status=200).json["next"]
    replicate(a, d)
    ask(a, d, "get", "/v1/replaced", query="?limit=1", status=200)
    ask(a, d, "get", "/v1/replaced", query="?limit=0", status=400)
    ask(a, d, "get", "/v1/status", status=200)
    d.check_all_answered()


def replicate(a, d):
    """What a centre asks."""
    def basis(epoch, witness, protocol="1"):
        return f"?centre={'c' * 32}&request={secrets.token_hex(16)}&protocol={protocol}&epoch={epoch}&witness={witness}"

    empty = "0." + "0" * 32
    epoch = ask(a, d, "get", "/v1/changes", query=basis("", empty), status=409).json["epoch"]
    page = ask(a, d, "get", "/v1/changes", query=basis(epoch, empty) + "&after=0&limit=3", status=200)
    assert len(page.body.splitlines()) == 5
    ask(a, d, "get", "/v1/changes", query=basis(epoch, "2." + "1" * 32), status=409)
    assert ask(a, d, "get", "/v1/changes", query=basis(epoch, empty, "7-9"), status=400).json["max"] == 1
    held = json.loads(page.body.splitlines()[1])
    held.pop("seq")
    lines = [{**held, "expected": held["hash"]}, {**held, "id": "r9", "expected": None}]
    answers = ask(a, d, "post", "/v1/apply", "".join(json.dumps(x) + "\n" for x in lines), query=basis(epoch, empty), status=200)
    assert [json.loads(x).get("result") for x in answers.body.splitlines()] == [None, "already", "rejected", None]
    rename = {"centre": "c" * 32, "request": secrets.token_hex(16), "protocol": "1", "from": epoch, "to": "e" * 32, "witness": empty}
    assert ask(a, d, "post", "/v1/epoch", rename, status=200).json["result"] == "not_rewound"
    ask(a, d, "post", "/v1/epoch", {**rename, "from": "f" * 32}, status=409)
    digests = ask(a, d, "get", "/v1/digest", query=basis(epoch, empty) + "&bits=4", status=200).body.splitlines()
    buckets = [json.loads(line)["bucket"] for line in digests[1:-1]]
    fetched = ask(a, d, "post", "/v1/fetch", {"bits": 4, "buckets": buckets}, query=basis(epoch, empty), status=200).body.splitlines()
    assert len(fetched) - 2 == sum(json.loads(line)["count"] for line in digests[1:-1])
    ask(a, d, "get", "/v1/digest", query=basis("f" * 32, empty) + "&bits=4", status=409)
