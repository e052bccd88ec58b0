"""kill -9 of either process at random moments under load: nothing acknowledged is lost, nothing doubled."""
import os
import random

import pytest

import lab
import load

pytestmark = pytest.mark.both_stores

KILLS = int(os.environ.get("TIDEMARK_KILLS", "40"))


def test_kill_9_of_either_process_under_load(site):
    seed = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
    print(f"TIDEMARK_SEED={seed} TIDEMARK_KILLS={KILLS}")
    chance = random.Random(seed)
    locals_ = [site.local("a"), site.local("b")]
    centre = site.centre(*locals_, options=["--poll-interval", "100ms"])
    writers = [(l, load.Writer(lambda l=l: f"{l.url}/v1/records/", f"w{k}")) for k in (1, 2) for l in locals_]
    for _, w in writers:
        w.start()
    for _ in range(KILLS):
        victim = chance.choice([*locals_, centre, centre])
        lab._never.wait(chance.uniform(0.01, 0.12))  # a random moment, not a wait for anything
        victim.kill()
        victim.start()
    for _, w in writers:
        w.stop()
    centre.in_sync(seconds=60)
    total = sum(lab.same_records(l, centre) for l in locals_)
    assert sum(w.check(l.records(), l.name) for l, w in writers) > 100 and total > 100
    assert centre.conflicts() == []
    for kind in ("WIPED", "REWOUND", "CLONED", "DIVERGED"):
        assert centre.events(kind=kind) == []
