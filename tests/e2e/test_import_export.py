"""Real data in and out, by files: at a local, through a running one, at the centre; and back, byte for byte."""
import csv
import json
import os
import pathlib
import random
import re
import resource
import subprocess

import pytest

import lab

ISO = pathlib.Path("/usr/share/iso-codes/json")


def local(*args, code=0, **kw):
    """tidemark-local import or export; returns what it printed."""
    kw = {"capture_output": True, "text": True, "timeout": 60, **kw}
    r = subprocess.run([lab.BIN / "tidemark-local", *map(str, args)], **kw)
    assert r.returncode == code, (args, r.returncode, r.stderr)
    return r


def counts(r):
    """{created, changed, unchanged, …} of a --json summary."""
    return {k: v for k, v in json.loads(r.stdout).items() if k in ("created", "changed", "unchanged", "deleted")}


def write_csv(path, rows, seed):
    """As real ones are: texts with commas, quotes, umlauts and line ends; keys that are not in the order of texts."""
    chance = random.Random(seed)
    words = ["Schraube", 'Rohr 1/2"', "Kabel, rot", "Öl", "", "Dose\nmit Deckel", "naïve", "=1+1", "''"]
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["sku", "name", "price", "stock, all", "note"])
        for i in range(1, rows + 1):
            out.writerow([i, f"{chance.choice(words)} {i}", f"{chance.random() * 100:.2f}", chance.randrange(1000),
                          chance.choice(words)])


def same_bytes(a, b):
    return pathlib.Path(a).read_bytes() == pathlib.Path(b).read_bytes()


@pytest.mark.both_stores
def test_100_000_rows_at_two_locals_are_the_same_bytes_at_the_centre(site):
    east = lab.Local(site.path, "east")
    west = site.local("west")
    for l, seed in ((east, 1), (west, 2)):
        write_csv(site.path / f"{l.name}.csv", 100_000, seed)
    item = ("--type", "item", "--id-column", "sku")
    r = local("import", "--node", "east", "--db", east.db, *item, "--json", site.path / "east.csv")
    assert counts(r) == {"created": 100_000, "changed": 0, "unchanged": 0, "deleted": 0}
    r = local("import", "--to", west.url, *item, site.path / "west.csv")
    assert r.stdout.startswith("100000 records from ") and "100000 created, 0 changed" in r.stdout and r.stderr == ""
    site.adopt(east)
    centre = site.centre(east, west)
    centre.in_sync()
    for l in (east, west):
        back = site.path / f"{l.name}.back.csv"
        r = centre.tool("export", "--owner", l.name, *item, back)
        assert same_bytes(site.path / f"{l.name}.csv", back)
        assert centre.node(l.name)["proof"]["count"] == 100_000
        before = l.status()["head_seq"]
        r = local("import", "--to", l.url, *item, "--json", back)
        assert counts(r)["unchanged"] == 100_000 and l.status()["head_seq"] == before


def test_export_then_import_changes_nothing(site):
    a = site.local("a", options=["--generate", "0"])
    chance = random.Random(5)
    bodies = ['{"n" : 1.50}', "[]", "null", '"ä\\u00e4\\n"', '{"a":1,"a":2}', "123456789012345678901234567890", '{"x":[{}]}', "[" * 64 + "]" * 64]
    for k in range(300):
        r = a.post("/v1/records", f'{{"id":"r{k % 250}","type":"t{k % 3}","body":{chance.choice(bodies)}}}'.encode())
        assert r.status == 201
    for k in range(0, 250, 7):
        assert lab.call(f"{a.url}/v1/records/r{k}", "DELETE").status == 200
    before = a.status()
    for name in ("all.ndjson", "all.json"):
        for more in ((), ("--deleted",), ("--order", "written")):
            f = site.path / name
            local("export", "--from", a.url, *more, f)
            r = local("import", "--to", a.url, "--json", f)
            assert set(counts(r)) == {"created", "changed", "unchanged", "deleted"} and counts(r)["unchanged"] > 200
            assert sum(counts(r).values()) == counts(r)["unchanged"]
    now = a.status()
    assert (now["head_seq"], now["digest"]) == (before["head_seq"], before["digest"])
    lines = local("export", "--from", a.url, "--deleted").stdout.splitlines()
    assert len(lines) == 250 and all(l.startswith('{"owner":"a","id":"r') for l in lines)
    assert sorted(lines, key=lambda l: json.loads(l)["id"]) == lines
    assert any('"body":{"n" : 1.50},' in l for l in lines)
    # the same out of the database itself, and into another one, deletions and all
    a.stop()
    assert local("export", "--node", "a", "--db", a.db, "--deleted").stdout.splitlines() == lines
    (site.path / "all.ndjson").write_text("\n".join(lines))
    local("import", "--node", "b", "--db", site.path / "b.db", site.path / "all.ndjson")
    b = site.adopt(lab.Local(site.path, "b"))
    live = {k[1]: r["body"] for k, r in b.records(deleted=False).items()}
    assert live == {json.loads(l)["id"]: json.loads(l)["body"] for l in lines if '"deleted":false' in l}
    # a record that lives here and is deleted in the file is deleted
    r = local("import", "--to", b.url, "--json", "-", input='{"id":"r1","type":"t","deleted":true,"body":null}\n')
    assert counts(r) == {"created": 0, "changed": 0, "unchanged": 0, "deleted": 1}
    assert b.get("/v1/records/r1").status == 404


@pytest.mark.both_stores
def test_at_the_centre(site):
    """What is imported at the centre is pushed to its owner, and comes back by export."""
    a, b = site.local("a"), site.local("b")
    centre = site.centre(a, b)
    write_csv(site.path / "x.csv", 12_000, 3)
    item = ("--owner", "a", "--type", "item", "--id-column", "sku")
    r = centre.tool("import", "--json", *item, str(site.path / "x.csv"))
    assert counts(r)["created"] == 12_000
    centre.in_sync()
    assert lab.same_records(a, centre) == 12_000
    local("export", "--from", a.url, "--type", "item", site.path / "back.csv")
    assert same_bytes(site.path / "x.csv", site.path / "back.csv")
    seq = a.status()["head_seq"]
    assert counts(centre.tool("import", "--json", *item, str(site.path / "back.csv")))["unchanged"] == 12_000
    b.write({"id": "x", "body": 1})
    centre.in_sync()
    assert a.status()["head_seq"] == seq
    # all owners in one file, and each record back to its own
    everything = centre.tool("export").stdout
    assert everything.count("\n") == 12_001 and '{"owner":"b","id":"x"' in everything
    assert counts(centre.tool("import", "--json", "-", input=everything))["unchanged"] == 12_001
    r = centre.tool("import", "-", input=everything[:200].split("\n")[0].replace('"owner":"a"', '"owner":"nobody"') + "\n", check=False)
    assert r.returncode == 1 and "standard input:1:" in r.stderr
    edited = '{"owner":"b","id":"x","type":"t","body":2}\n{"owner":"b","id":"y","type":"t","body":3}\n'
    assert counts(centre.tool("import", "--json", "-", input=edited)) == {"created": 1, "changed": 1, "unchanged": 0, "deleted": 0}
    gone = '{"owner":"b","id":"x","type":"t","deleted":true,"body":null}\n'
    assert counts(centre.tool("import", "--json", "-", input=gone))["deleted"] == 1
    centre.in_sync()
    assert b.get("/v1/records/y").json["body"] == 3 and b.get("/v1/records/x").status == 404
    # a view for reading
    r = centre.tool("export", "--format", "csv", "--owner", "b", "--columns", "@id,@type")
    assert r.stdout == "@id,@type\ny,t\n"


def test_arrays_inside_documents(site):
    """--each takes the members of an array inside a document: all of iso-codes."""
    a = site.local("a")
    files = sorted(ISO.glob("iso_*.json"))
    assert files, "Debian's iso-codes is not installed: run deploy/deps test"
    for f in files:
        key = re.search(r'"([^"]+)"\s*:\s*\[', f.read_text(encoding="utf-8")).group(1)
        wanted = json.loads(f.read_text(encoding="utf-8"))[key]
        r = local("import", "--to", a.url, "--each", key, "--type", "iso", "--json", f)
        assert counts(r)["created"] == len(wanted)
        out = local("export", "--from", a.url, "--type", "iso", "--id-prefix", f.stem, "--bodies", "--format", "json", "-").stdout
        assert json.loads(out) == wanted
    seq = a.status()["head_seq"]
    local("import", "--to", a.url, "--each", key, "--type", "iso", files[-1])
    assert a.status()["head_seq"] == seq


def test_a_wrong_line_is_named_and_what_stands_before_it_kept(site):
    a = site.local("a")
    f = site.path / "x.csv"
    f.write_text("k,v\n1,x\n2,y\n3\n4,z\n")
    r = local("import", "--to", a.url, "--type", "t", "--id-column", "k", f, code=1)
    assert f"{f}:4: 1 field, where the header has 2" in r.stderr and "Try:" in r.stderr and "2 created" in r.stderr
    assert {k[1] for k in a.records()} == {"1", "2"}
    f.write_text("k,v\n1,x\n2,y\n3,w\n4,z\n")
    r = local("import", "--to", a.url, "--type", "t", "--id-column", "k", "--json", f)
    assert counts(r) == {"created": 2, "changed": 0, "unchanged": 2, "deleted": 0}
    f.write_text("k;v\n1;x\n")
    assert "--delimiter ';'" in local("import", "--to", a.url, "--type", "t", f, code=1).stderr
    local("import", "--to", a.url, "--type", "t", "--delimiter", ";", f)
    assert a.get("/v1/records/x:0000000001").json["body"] == {"k": "1", "v": "x"}


def test_refusals_say_what_to_do(site):
    a = site.local("a")
    f = site.path / "x.ndjson"
    f.write_text('{"id":"1","type":"t","body":1}\n')
    here = ("--node", "a", "--db", a.db)
    for command, flag in (("import", "--to"), ("export", "--from")):
        r = local(command, *here, f, code=6)
        assert "in use by another process" in r.stderr and f"Try: {flag} URL" in r.stderr
        r = local(command, flag, "http://127.0.0.1:9", f, code=3)
        assert "refused" in r.stderr
        local(command, flag, "ftp://x", f, code=2)
        local(command, *here, site.path / "x.unknown", code=2)
        local(command, f, code=2)
        local(command, *here, f, f, code=2)
        local(command, flag, a.url, f"{site.path}/no/such/dir.ndjson", code=1)
    assert a.get("/v1/status").json["head_seq"] == 0
    local("import", "--to", a.url, code=2)
    local("impotr", "--to", a.url, f, code=2)
    local("import", "--from", a.url, f, code=2)
    local("import", "--to", a.url, "--columns", "a", f, code=2)
    assert "directory" in local("import", "--to", a.url, "--format", "csv", site.path, code=1).stderr
    a.stop()
    local("export", "--node", "a", "--db", site.path / "none.db", "-", code=1)
    assert not (site.path / "none.db").exists()
    assert "that of node a" in local("import", "--node", "b", "--db", a.db, f, code=6).stderr
    centre = site.centre()
    assert "no tidemark-local" in local("import", "--to", centre.url, f, code=1).stderr
    a.start()
    r = subprocess.run([lab.BIN / "tidemark", "--central", a.url, "import", f], capture_output=True, text=True, timeout=10)
    assert r.returncode == 1 and "no tidemark-central" in r.stderr
    r = subprocess.run([lab.BIN / "tidemark", "--central", "http://127.0.0.1:9", "export"], capture_output=True, text=True, timeout=10)
    assert r.returncode == 3 and "Try:" in r.stderr
    for args in (["import"], ["import", "a", "b"], ["export", "x.unknown"], ["export", "--each", "x"]):
        assert centre.tool(*args, check=False).returncode == 2, args
    with open("/dev/full", "w", encoding="ascii") as full:
        r = local("export", "--from", a.url, "--columns", "a", "--format", "csv", code=3, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert "full" in r.stderr
        r = local("import", "--to", a.url, f, code=1, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert "standard output" in r.stderr


def test_tokens(site):
    """An import into a running local wants the applications' token, and says so."""
    token = lab.private_file(site.path / "app.token", "x" * 40 + "\n")
    a = site.local("a", options=["--app-token-file", str(token)])
    line = '{"id":"1","type":"t","body":1}\n'
    r = local("import", "--to", a.url, "-", input=line, code=6)
    assert "--app-token-file" in r.stderr
    local("import", "--to", a.url, "--app-token-file", token, "-", input=line)
    out = local("export", "--from", a.url, "-", env={**os.environ, "TIDEMARK_APP_TOKEN_FILE": str(token)})
    assert '"id":"1"' in out.stdout and "x" * 40 not in out.stdout + out.stderr
    secret = lab.private_file(site.path / "secret", "y" * 40 + "\n")
    centre = site.centre(options=["--secret-file", str(secret)])
    r = centre.tool("export", check=False)
    assert r.returncode == 6 and "--token-file" in r.stderr
    centre.tool("export", "--token-file", str(secret))


def test_a_killed_import_is_run_again(site):
    write_csv(site.path / "x.csv", 60_000, 4)
    b = lab.Local(site.path, "b")
    item = ("--type", "item", "--id-column", "sku")
    args = [lab.BIN / "tidemark-local", "import", "--node", "b", "--db", b.db, *item, site.path / "x.csv"]
    for _ in range(5):
        with subprocess.Popen(args, stdout=subprocess.DEVNULL) as p:
            size = b.db.stat().st_size if b.db.exists() else 0
            lab.wait_until("it writes", lambda: p.poll() is not None or any(f.stat().st_size > size for f in b.files()))
            p.kill()
    total = counts(local("import", "--node", "b", "--db", b.db, *item, "--json", site.path / "x.csv"))
    assert total["created"] + total["unchanged"] == 60_000 and total["changed"] == 0
    site.adopt(b)
    local("export", "--from", b.url, "--type", "item", site.path / "back.csv")
    assert same_bytes(site.path / "x.csv", site.path / "back.csv")


def test_an_import_goes_on_when_the_local_is_killed_and_started(site):
    a = site.local("a")
    write_csv(site.path / "x.csv", 60_000, 6)
    with subprocess.Popen([lab.BIN / "tidemark-local", "import", "--to", a.url, "--type", "item", "--id-column", "sku", "--json", site.path / "x.csv"],
                          stdout=subprocess.PIPE, text=True) as p:
        for _ in range(3):
            seq = a.status()["head_seq"]
            lab.wait_until("it goes on", lambda: p.poll() is not None or a.status()["head_seq"] > seq)
            a.kill()
            a.start()
        done = json.loads(p.communicate(timeout=60)[0])
        assert p.returncode == 0
    # what was committed when its answer was lost counts as unchanged
    assert done["records"] == 60_000 and done["changed"] == 0
    assert a.status()["head_seq"] == 60_000


def test_what_comes_slowly_is_written_when_it_comes(site):
    a = site.local("a")
    with subprocess.Popen([lab.BIN / "tidemark-local", "import", "--to", a.url, "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        for n in range(3):
            p.stdin.write(b'{"id":"r%d","type":"t","body":%d}\n{"id":"half' % (n, n))
            p.stdin.flush()
            lab.wait_until("it is there", lambda n=n: a.get(f"/v1/records/r{n}").status == 200)
            p.stdin.write(b'-%d","type":"t","body":1}\n' % n)
        out, _ = p.communicate(timeout=20)
        assert p.returncode == 0 and json.loads(out)["created"] == 6


@pytest.mark.alone
def test_progress(site):
    """A terminal is shown how far it is; a pipe, or a short import, nothing."""
    a = site.local("a")
    f = site.path / "x.csv"
    write_csv(f, 400_000, 7)
    args = [lab.BIN / "tidemark-local", "import", "--to", a.url, "--type", "item", f]
    r = subprocess.run(args, capture_output=True, text=True, timeout=60)
    assert r.returncode == 0 and r.stderr == ""  # not a terminal, and soon done
    for quiet in (False, True):
        _, seen = lab.on_terminal(*args, *(["--quiet"] if quiet else []))
        if quiet:
            assert seen == b""
        else:
            assert re.search(rb"x\.csv: \d+ records, [\d.]+ MB of [\d.]+ MB \(\d+ %\), \d+ records/s, \d:\d\d left", seen), seen


def test_memory_stays_bounded(site):
    """A file that is larger than the memory allowed goes in and out all the same."""
    db = ("--node", "a", "--db", site.path / "a.db")
    f = site.path / "x.ndjson"
    with open(f, "w", encoding="utf-8") as out:
        for k in range(400):
            out.write('{"id":"r%d","type":"t","body":"%s"}\n' % (k, chr(97 + k % 26) * 200_000))
    limit = 48 * 1024 * 1024
    assert f.stat().st_size > limit
    for args in (("import", f), ("export", site.path / "back.ndjson"), ("export", "--order", "written", site.path / "back.json")):
        local(*args, *db, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)))
    assert len((site.path / "back.ndjson").read_bytes().splitlines()) == 400
    assert len(json.loads((site.path / "back.json").read_bytes())) == 400
