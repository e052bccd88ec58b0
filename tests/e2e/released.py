"""Databases of released programs, as text: made once at a release (tests/fixtures/make), opened by every later program."""
import contextlib
import json
import os
import pathlib
import re
import sqlite3
import subprocess

import lab

FIXTURES = lab.TOP / "tests" / "fixtures"


def kept():
    """VERSION/STORE of all that there are."""
    return sorted(str(p.parent.relative_to(FIXTURES)) for p in FIXTURES.glob("*/*/expected.json"))


def version_of(program):
    return subprocess.run([lab.BIN / program, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout.split()[1]


def dump(db):
    """The whole of a closed SQLite file as SQL, with the two numbers that iterdump() leaves out."""
    with contextlib.closing(sqlite3.connect(db)) as c:
        (kind,), (schema,) = c.execute("PRAGMA application_id").fetchone(), c.execute("PRAGMA user_version").fetchone()
        return f"PRAGMA application_id={kind};\nPRAGMA user_version={schema};\n" + "".join(line + "\n" for line in c.iterdump())


def restore(sql, db):
    with contextlib.closing(sqlite3.connect(db)) as c:
        c.executescript(pathlib.Path(sql).read_text())
        assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def holds(found, kept):
    """Is what was kept there as it was?  A later program may answer more members."""
    if isinstance(kept, dict):
        return isinstance(found, dict) and all(k in found and holds(found[k], v) for k, v in kept.items())
    if isinstance(kept, list):
        return isinstance(found, list) and len(found) == len(kept) and all(map(holds, found, kept))
    return type(found) is type(kept) and found == kept


def everything(local, centre):
    """What an upgrade must not change."""
    return {
        "local": sorted(local.records().values(), key=lambda r: r["id"]),
        "digest": local.status()["digest"],
        "epoch": local.status()["epoch"],
        "centre": sorted(lab.all_records(centre.url, "?deleted=true").values(), key=lambda r: (r["owner"], r["id"])),
        "conflicts": centre.conflicts(),
        "nodes": [{k: n[k] for k in ("name", "title", "paused", "epoch", "records")} for n in sorted(centre.nodes(), key=lambda n: n["name"])],
        "events": [e for e in centre.events() if e["kind"] in ("WIPED", "conflict", "node.added", "node.paused")],
    }


def live(local, centre):
    """Something of everything that a schema can hold."""
    local.write(*({"id": f"r{i}", "type": "reading", "body": {"n": i, "big": 12345678901234567890}} for i in range(20)))
    local.post("/v1/records", '{"id":"exact","type":"note","body":{"a" : 1.50, "a":1e400,"t":"é\\u0007"}}')
    centre.in_sync(local.name)
    local.write({"id": "r1", "body": "twice"})
    assert lab.call(local.url + "/v1/records/r2", "DELETE").status == 200
    assert lab.call(centre.url + f"/v1/records/{local.name}/r3", "PUT", '{"type":"t","body":"edited"}').status == 200
    assert lab.call(centre.url + f"/v1/records/{local.name}/born-here", "PUT", '{"type":"t","body":[]}').status == 201
    assert lab.call(centre.url + f"/v1/records/{local.name}/r4", "DELETE").status == 200
    centre.in_sync(local.name)
    local.stop()
    assert lab.call(centre.url + f"/v1/records/{local.name}/r5", "PUT", '{"type":"t","body":"centre"}').status == 200
    centre.stop()
    local.start()
    local.write({"id": "r5", "body": "site"})
    centre.start()
    centre.in_sync(local.name)
    local.stop()
    local.wipe()
    local.start()
    local.write({"id": "meanwhile", "body": None})
    centre.in_sync(local.name)
    centre.tool("node", "add", "away", "http://127.0.0.1:9", "--title", "Büro, 2. Stock")
    centre.tool("node", "pause", "away")
    lab.same_records(local, centre)


def dump_postgres(url):
    """Without the line that newer psqls alone understand and that is another each time."""
    text = subprocess.run(["pg_dump", "--no-owner", "--no-privileges", "-d", url], capture_output=True, text=True, timeout=60,
                          check=True).stdout
    return re.sub(r"^\\(un)?restrict .*\n", "", text, flags=re.M)


def restore_postgres(sql, url):
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", str(sql)], capture_output=True, text=True, timeout=60,
                   check=True)


def make(directory, scratch, database=None):
    """Runs the programs of this build, the centre on PostgreSQL if a database is given, and keeps what they leave."""
    local = lab.Local(scratch, "a").start()
    centre = lab.Centre(scratch, [local], store=database)
    try:
        live(local, centre.start())
        expected = everything(local, centre)
        local.stop()
        centre.stop()
    finally:
        for p in (local, centre):
            if p.process and p.process.poll() is None:
                p.kill()
    made = pathlib.Path(directory)
    os.makedirs(made)
    (made / "local.sql").write_text(dump(local.db))
    (made / "centre.sql").write_text(dump_postgres(database.url) if database else dump(centre.store.path))
    (made / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
