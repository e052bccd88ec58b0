"""kill -9 of any process at random moments under load: of what was acknowledged, at either end, nothing is lost or doubled."""
import fcntl
import os
import random
import signal
import time

import pytest

import lab
import ledger
import pg
import proc

KILLS = int(os.environ.get("TIDEMARK_KILLS", "100"))
ROUND = 500  # kills between two accounts
FALSE_ALARMS = {"WIPED", "REWOUND", "CLONED", "DIVERGED", "CENTRE_REWOUND", "rejected"}


class Killer:
    """kill -9 of one of the programs, or of a local together with the centre; also while they start."""

    def __init__(self, chance, locals_, centre, cluster):
        self.chance, self.locals, self.centre, self.cluster = chance, locals_, centre, cluster
        self.killed, self.servers, self.starting = 0, 0, 0

    def strike(self):
        lab._never.wait(self.chance.uniform(0, 0.06))  # a random moment, not a wait for anything
        if self.cluster and self.chance.random() < 0.03:
            return self.strike_server()
        victims = [self.chance.choice([*self.locals, self.centre, self.centre])]
        if self.chance.random() < 0.1:
            victims = [self.chance.choice(self.locals), self.centre]
        self.kill(victims)
        if self.chance.random() < 0.15:
            lab._never.wait(self.chance.uniform(0, 0.03))
            self.starting += len(victims)
            self.kill(victims)
        for v in victims:
            v.listens()
        return None

    def kill(self, victims):
        for v in victims:
            v.process.kill()
        for v in victims:
            v.process.wait()
            v.spawn()
        self.killed += len(victims)

    def strike_server(self):
        """All of PostgreSQL, or one of its processes, after which it starts the others anew."""
        server, *children = self.cluster.pids()
        if self.chance.random() < 0.5 or not children:
            for pid in [server, *children]:
                os.kill(pid, signal.SIGKILL)
            lab.wait_until("the server is gone", lambda: not any(os.path.exists(f"/proc/{p}") for p in [server, *children]))
            self.cluster.start()
        else:
            try:
                os.kill(self.chance.choice(children), signal.SIGKILL)
            except ProcessLookupError:
                return  # a session that has ended meanwhile
        self.servers += 1
        self.killed += 1
        lab.wait_until("it answers", lambda: self.centre.get("/readyz").status == 200)


@pytest.fixture
def cluster(tmp_path, store_kind):
    """A server that the test may kill."""
    c = pg.Cluster(tmp_path / "pg") if store_kind == "postgres" else None
    yield c
    if c:
        c.remove()


def test_a_lock_that_outlives_a_killed_process_for_a_moment_is_waited_for(site):
    """A child that the killed one was about to start has it until it has become another program."""
    local = lab.Local(site.path, "late")
    lock = f"{local.db}.lock"
    with open(lock, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        local.spawn()
        try:
            lab.wait_until("it has the file open", lambda: lock in proc.open_files(local.process.pid))
            fcntl.flock(held, fcntl.LOCK_UN)
            local.listens()
        finally:
            local.kill()


@pytest.mark.both_stores
def test_kill_9_of_any_process_under_load(site, cluster):
    seed = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
    print(f"TIDEMARK_SEED={seed} TIDEMARK_KILLS={KILLS} tests/run e2e/test_kill.py")
    locals_ = [site.local("a"), site.local("b")]
    store = {"store": pg.Database("tidemark", cluster.server)} if cluster else {}
    centre = site.centre(*locals_, options=["--poll-interval", "20ms"], **store)
    killer = Killer(random.Random(seed), locals_, centre, cluster)
    began, sums = time.monotonic(), [0, 0]
    while killer.killed < KILLS:
        books = ledger.Books(locals_, centre, seed, killer.killed)
        until = min(KILLS, killer.killed + ROUND)
        while killer.killed < until:
            killer.strike()
        acknowledged, unknown, kept, records = books.close()
        sums = [sums[0] + acknowledged, sums[1] + unknown]
        print(f"{killer.killed} killed, {sums[0]} writes acknowledged, {sums[1]} without an answer, {kept} losers kept, "
              f"{records} records, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{killer.starting} of them while they started, {killer.servers} of the database's server")
    kinds = {e["kind"] for e in centre.all_events()}
    assert not kinds & FALSE_ALARMS, kinds
    assert sums[0] > 2 * KILLS
