"""A write is seen at the centre within 20 ms (median) by long poll; an idle system writes nothing."""
import statistics
import time

import pytest

import lab


def changes(path):
    """SQLite's own counters of what was written: the file's bytes and its WAL's length and time."""
    return [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(path.parent.glob(path.name + "*"))
            if not f.name.endswith((".lock", "-shm"))]


@pytest.mark.alone
def test_a_write_is_at_the_centre_within_20_ms(site):
    l = site.local("a")
    centre = site.centre(l)
    centre.in_sync("a")
    took = []
    for i in range(40):
        t0 = time.monotonic()
        l.write({"id": f"r{i}", "body": i})
        lab.wait_until("the write at the centre", lambda: centre.get(f"/v1/records/a/r{i}").status == 200)
        took.append((time.monotonic() - t0) * 1000)
    print(f"write to visible: median {statistics.median(took):.1f} ms, worst {max(took):.1f} ms")
    assert statistics.median(took) <= 20


def test_an_idle_system_of_100_rounds_writes_nothing(site):
    l = site.local("a")
    centre = site.centre(l, options=["--poll-interval", "50ms"])
    l.write(*({"id": f"r{i}", "body": i} for i in range(100)))
    centre.in_sync("a")
    centre.in_sync("a")
    before = changes(l.db), changes(centre.store.path)
    polls = centre.node("a")["polls"]["ok"]
    lab.wait_until("100 rounds", lambda: centre.node("a")["polls"]["ok"] >= polls + 100, 60)
    assert (changes(l.db), changes(centre.store.path)) == before
    assert centre.node("a")["state"] == "in_sync"
