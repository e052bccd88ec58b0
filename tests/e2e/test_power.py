"""The power is cut at random moments under load, of one machine or of all: what was not flushed is lost, and of what was
acknowledged, at either end, nothing is lost or doubled."""
import os
import random
import subprocess
import sys
import time

import pytest

import lab
import ledger
import power

CUTS = int(os.environ.get("TIDEMARK_CUTS", "20"))
ROUND = 50  # cuts between two accounts
SEED = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
# A machine that has lost its power never forgets what it has said: not one of these.
FALSE_ALARMS = {"WIPED", "REWOUND", "CLONED", "DIVERGED", "CENTRE_REWOUND", "rejected"}
pytestmark = pytest.mark.skipif(not power.possible(), reason="TIDEMARK_NO_POWER_CUTS")

# Commits one number after the other, and tells each.
COUNTER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=" + sys.argv[2])
db.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
for n in range(1000000):
    db.execute("INSERT INTO t VALUES (?)", (n,))
    print(n, flush=True)
"""


@pytest.fixture
def disk(tmp_path):
    """Makes disks, and ends them after everything that is on them."""
    made = []

    def make(name, mib):
        made.append(power.Disk(tmp_path / f"{name}-disk", mib, SEED + len(made)))
        return made[-1]

    yield make
    for d in made:
        d.close()


@pytest.mark.parametrize("synchronous, loses", [("OFF", True), ("FULL", False)])
def test_the_disk_loses_what_was_not_flushed_and_nothing_else(disk, tmp_path, synchronous, loses):
    """Else the others of these tests would show nothing."""
    d, place, lost = disk("d", 64), tmp_path / "place", 0
    place.mkdir()
    for _ in range(5):
        with subprocess.Popen(d.with_it_at(place, sys.executable, "-c", COUNTER, place / "db", synchronous), text=True,
                              stdout=subprocess.PIPE) as counter:
            told = [counter.stdout.readline() for _ in range(50)]
            d.cut()
            counter.kill()
            d.go()
            told += counter.stdout.readlines()
        count = "import sqlite3; print(sqlite3.connect('%s').execute(\"SELECT count(*) FROM sqlite_master\").fetchone()[0] and " \
                "sqlite3.connect('%s').execute('SELECT count(*) FROM t').fetchone()[0])" % (place / "db", place / "db")
        r = subprocess.run(d.with_it_at(place, sys.executable, "-c", count), capture_output=True, text=True, timeout=30)
        kept = int(r.stdout or 0)  # a file may be damaged where nothing was flushed
        expected = sum(t.endswith("\n") for t in told) if not lost else 0
        lost += max(0, expected - kept)
        if not loses:
            assert kept >= len(told), r
            subprocess.run(d.with_it_at(place, "sh", "-c", f"rm -f '{place}'/db* && umount '{place}'"), check=True, timeout=30)
    assert (lost > 0) == loses


def machines(site, disk, kind):
    """Two locals, the centre, and where it has one its PostgreSQL, each a machine of its own."""
    found = []
    for name in ("a", "b"):
        (site.path / name).mkdir()
        l = power.Local(site.path / name, name)
        l.log = site.path / f"{name}.log"
        l.disk = disk(name, 64)
        found.append(site.adopt(l))
    server = None
    if kind == "postgres":
        server = power.Server(site.path / "pg", disk("pg", 400))
        server.spawn().listens()
        centre = site.adopt(lab.Centre(site.path, found, options=["--poll-interval", "20ms"], store=server.database))
    else:
        (site.path / "c").mkdir()
        centre = power.Centre(site.path / "c", found, options=["--poll-interval", "20ms"])
        centre.log = site.path / "centre.log"
        centre.disk = disk("c", 64)
        site.adopt(centre)
    return found, centre, server


@pytest.mark.both_stores
def test_power_cuts_under_load(site, disk, store_kind):
    print(f"TIDEMARK_SEED={SEED} TIDEMARK_CUTS={CUTS} tests/run e2e/test_power.py")
    chance = random.Random(SEED)
    locals_, centre, server = machines(site, disk, store_kind)
    try:
        keeps = server or centre  # the machine with the centre's records
        cuts, began, sums = 0, time.monotonic(), [0, 0]
        wanted = CUTS if not server else max(2, CUTS // 10)  # it takes seconds to start after one
        while cuts < wanted:
            books = ledger.Books(locals_, centre, SEED, cuts)
            until = min(wanted, cuts + ROUND)
            while cuts < until:
                lab._never.wait(chance.uniform(0, 0.25))  # a random moment, not a wait for anything
                victims = chance.choice([[chance.choice(locals_)], [keeps], [chance.choice(locals_), keeps], [*locals_, keeps]])
                power.cut(victims)
                cuts += 1
                for v in victims:
                    v.check()
            acknowledged, unknown, kept, records = books.close()
            sums = [sums[0] + acknowledged, sums[1] + unknown]
            lost = sum(m.disk.lost for m in [*locals_, keeps])
            print(f"{cuts} cuts, {lost} sectors lost, {sums[0]} writes acknowledged, {sums[1]} without an answer, {kept} losers kept, "
                  f"{records} records, {time.monotonic() - began:.0f} s", flush=True)
        assert lost > 0 or cuts < 20  # by chance; what the disk does is shown above
        kinds = {e["kind"] for e in centre.all_events()}
        assert not kinds & FALSE_ALARMS, kinds
    finally:
        if server:
            centre.kill()
            server.close()
