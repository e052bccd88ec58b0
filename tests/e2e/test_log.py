"""What the programs tell: a line an event, in both formats, of what the guide lists; and how long the events stay."""
import json
import re
import subprocess

import pytest

import lab

GUIDE = (lab.TOP / "deploy" / "guide" / "events.md").read_text()
DOCUMENTED = {name for row in re.findall(r"^\| (`[^|]*`) \|", GUIDE, re.M) for name in re.findall(r"`([^`]+)`", row)}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def lines_of(program):
    """Every line that it ever wrote, as an object."""
    lines = [json.loads(line) for line in program.log.read_text().splitlines()]
    for x in lines:
        assert re.fullmatch(TIME, x["ts"]) and x["level"] in ("error", "warn", "info", "debug"), x
        assert x["event"] in DOCUMENTED, x
    return lines


def of(lines, event):
    return [x for x in lines if x["event"] == event]


def start_json(program):
    """A log in JSON is not what lab's start() looks for."""
    program.spawn()

    def said():
        assert program.process.poll() is None, program.log_text()
        return [x for x in map(json.loads, program.log_text().splitlines()) if x["event"] == "listening"]

    program.url = lab.wait_until("listening", said)[0]["url"]
    program.port = int(program.url.rsplit(":", 1)[1])
    return program


def test_every_change_and_every_exchange_is_told(site):
    debug = ["--log-level", "debug", "--log-format", "json"]
    a = start_json(lab.Local(site.path, "a", options=debug))
    centre = start_json(lab.Centre(site.path, [a], options=debug))
    try:
        a.write({"id": "x", "body": 1})
        centre.in_sync("a")
        lab.call(centre.url + "/v1/records/a/x", "PUT", '{"type":"t","body":2}')
        centre.in_sync("a")
        for verb in ("pause", "resume"):
            centre.post(f"/v1/nodes/a/{verb}")
        assert lab.call(centre.url + "/v1/nodes/a", "PATCH", '{"title":"Büro"}'.encode()).status == 200
        centre.post("/v1/nodes", {"name": "b", "url": "http://127.0.0.1:9"})
        lab.wait_until("b was tried", lambda: centre.node("b")["polls"]["failed"] > 0)
        lab.call(centre.url + "/v1/nodes/b", "DELETE")
        a.stop()
        a.copy_to(site.path / "backup")
        start_json(a)
        a.write({"id": "y", "body": 1})
        centre.in_sync("a")
        a.stop()
        centre.post("/v1/nodes/a/pause")  # both edit before they hear of each other
        lab.call(centre.url + "/v1/records/a/x", "PUT", '{"type":"t","body":"centre"}')
        a.restore_from(site.path / "backup")
        start_json(a)
        a.write({"id": "x", "body": "site"}, {"id": "z", "body": 1})
        centre.post("/v1/nodes/a/resume")
        centre.in_sync("a")
        (lost,) = centre.conflicts()
        centre.tool("conflict", "promote", str(lost["id"]))
        centre.in_sync("a")
        kinds = {e["kind"] for e in centre.events()}
        a.stop()
        centre.stop()
    finally:
        for p in (a, centre):
            if p.process.poll() is None:
                p.kill()
    wanted = {"node.added", "node.changed", "node.removed", "node.paused", "node.resumed", "node.state", "pulled",
              "pushed", "conflict", "conflict.promoted", "REWOUND"}
    assert wanted <= kinds <= DOCUMENTED, kinds ^ wanted
    told = lines_of(centre)
    assert wanted | {"listening", "stopping", "poll.failed"} <= {x["event"] for x in told}
    assert of(told, "pulled")[0]["level"] == "debug" and of(told, "REWOUND")[0]["level"] == "warn"
    told = lines_of(a)
    opened = of(told, "database.opened")
    assert len(opened) == 3 and opened[0]["records"] == "0" and opened[1]["head_seq"] == opened[2]["head_seq"] != "0"
    assert of(told, "served") and of(told, "applied")[0]["records"] == "1"
    renamed = of(told, "epoch.renamed")[0]
    assert renamed["from"] == opened[0]["epoch"] != renamed["to"]


def test_what_cannot_start_says_so_in_the_log(site):
    a = site.local("a")
    for options in ([], ["--log-format", "json"]):
        r = subprocess.run([*a.argv(), *options], capture_output=True, text=True, timeout=20)
        assert r.returncode == 6 and not r.stdout
        (line,) = r.stderr.splitlines()
        if options:
            assert json.loads(line)["event"] == "failed" and "is in use by another process" in json.loads(line)["reason"]
        else:
            assert re.fullmatch(f'ts={TIME} error failed reason=".*is in use by another process.*"', line), line


def test_a_full_disk_is_told_once_and_so_is_its_end(site):
    """A limit on the size of files stands in for the disk."""
    a = lab.Local(site.path, "a")
    a.argv, argv = (lambda: ["prlimit", "--fsize=400000:unlimited", *argv()]), a.argv
    a.start()
    try:
        r = lab.wait_until("no room", lambda: (lambda r: r if r.status != 201 else None)(
            a.post("/v1/records", [{"type": "t", "body": "x" * 20000}])))
        assert r.status in (503, 507), r.body
        for _ in range(3):
            assert a.post("/v1/records", [{"type": "t", "body": "x" * 20000}]).status in (503, 507)
        subprocess.run(["prlimit", f"--pid={a.process.pid}", "--fsize=unlimited:unlimited"], check=True)
        lab.wait_until("room again", lambda: a.post("/v1/records", [{"type": "t", "body": "x" * 20000}]).status == 201)
        a.stop()
        text = a.log_text()
        assert text.count(" store.failed ") == 1 and text.count(" store.works") == 1, text
    finally:
        if a.process.poll() is None:
            a.kill()


@pytest.mark.both_stores
def test_the_newest_events_stay(site):
    """Neither fewer than was wanted nor many more, and ids go on."""
    centre = site.centre(options=["--keep-events", "100", "--keep-audit", "100"])
    names = [f"b{i}" for i in range(10)]
    for i, name in enumerate(names):
        centre.post("/v1/nodes", {"name": name, "url": f"http://127.0.0.1:{9 + i}"})
    for _ in range(9):
        for verb, paused in (("pause", True), ("resume", False)):
            for name in names:
                assert centre.post(f"/v1/nodes/{name}/{verb}").status == 202
            lab.wait_until(verb, lambda: all((n["state"] == "paused") == paused for n in centre.nodes()))
    told = lab.wait_until("told", lambda: (lambda all_: all_ if all_[-1]["id"] > 300 else None)(centre.events()))
    ids = [e["id"] for e in told]
    assert ids == sorted(set(ids))
    kept = {sort: sum(e["kind"] in kinds for e in told) for sort, kinds in (
        ("of machines", ["node.state"]), ("of operators", ["node.paused", "node.resumed"]), ("of administrators", ["node.added"]))}
    assert 100 <= kept["of machines"] <= 111 and 100 <= kept["of operators"] <= 111 and kept["of administrators"] == 10, kept
    r = subprocess.run([lab.BIN / "tidemark-central", "--keep-events", "99", "--check-config"], capture_output=True, text=True, timeout=10)
    assert r.returncode == 2 and "keep-events" in r.stderr
