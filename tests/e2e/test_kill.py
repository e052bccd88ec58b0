"""kill -9 of either process at random moments under load: nothing acknowledged is lost, nothing doubled."""
import http.client
import os
import random
import threading

import lab

KILLS = int(os.environ.get("TIDEMARK_KILLS", "40"))


class Writer(threading.Thread):
    """Writes numbered records as fast as it can, through kills, and remembers what was acknowledged."""

    def __init__(self, local, prefix):
        super().__init__(daemon=True)
        self.local, self.prefix, self.acknowledged, self.stopping = local, prefix, {}, False
        self.n = 0

    def run(self):
        while not self.stopping:
            self.n += 1
            rid = f"{self.prefix}-{self.n % 400}"  # new ones, then overwrites
            try:
                r = lab.call(f"{self.local.url}/v1/records/{rid}", "PUT", f'{{"type":"t","body":{self.n}}}', timeout=5)
                if r.status in (200, 201):
                    self.acknowledged[rid] = self.n
                elif r.status not in (503,):
                    raise AssertionError(r.body)
            except (OSError, http.client.HTTPException):
                lab._never.wait(0.005)  # it has just been killed


def test_kill_9_of_either_process_under_load(site):
    seed = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
    print(f"TIDEMARK_SEED={seed} TIDEMARK_KILLS={KILLS}")
    chance = random.Random(seed)
    locals_ = [site.local("a"), site.local("b")]
    centre = site.centre(*locals_, options=["--poll-interval", "100ms"])
    writers = [Writer(l, f"w{k}") for k in (1, 2) for l in locals_]
    for w in writers:
        w.start()
    for _ in range(KILLS):
        victim = chance.choice([*locals_, centre, centre])
        lab._never.wait(chance.uniform(0.01, 0.12))  # a random moment, not a wait for anything
        victim.kill()
        victim.start()
    for w in writers:
        w.stopping = True
    for w in writers:
        w.join(30)
        assert not w.is_alive()
    centre.in_sync(seconds=60)
    total = 0
    for l in locals_:
        total += lab.same_records(l, centre)
        ours = l.records()
        for w in writers:
            if w.local is l:
                for rid, n in w.acknowledged.items():
                    # a later write may have been made without its answer having come
                    assert n <= ours[("%s" % l.name, rid)]["body"] <= w.n, rid
    assert sum(len(w.acknowledged) for w in writers) > 100 and total > 100
    assert centre.conflicts() == []
    for kind in ("WIPED", "REWOUND", "CLONED", "DIVERGED"):
        assert centre.events(kind=kind) == []
