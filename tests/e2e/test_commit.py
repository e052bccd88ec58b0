"""COMMITs whose outcome the centre is not told: done, or never arrived.  Nothing is lost, nothing doubled, and whoever asked for
the write is told that nobody knows."""
import collections
import os
import random
import time

import commits
import lab
import ledger

COMMITS = int(os.environ.get("TIDEMARK_COMMITS", "100"))
ROUND = 250  # of them between two accounts
FALSE_ALARMS = {"WIPED", "REWOUND", "CLONED", "DIVERGED", "CENTRE_REWOUND", "rejected"}
# What is written in one transaction, each of which is to be cut: pages of new records and of others, pushes answered, edits,
# events, moves, and what an operator does.
KINDS = ("copy records + update nodes", "update nodes + update records", "insert records + update nodes", "insert events", "insert nodes",
         "update nodes")


class Operator(ledger.Keeper):
    """Adds and removes nodes, pauses and resumes, gives titles and orders counts: what else an operator writes."""

    def __init__(self, url, seed, nodes):
        super().__init__(url, "operator", seed, pause=0.01)
        self.nodes, self.n, self.added = nodes, 0, 0
        self.title = collections.defaultdict(lambda: {""})
        self.there = collections.defaultdict(lambda: {False})

    def turn(self):
        self.n += 1  # also a name, a port and a title
        what = self.chance.choice([self.add_or_remove, self.give_title, self.give_title, self.order])
        what(self.chance.choice(self.nodes))

    def add_or_remove(self, _):
        there = [name for name, may_be in self.there.items() if True in may_be]
        name = self.chance.choice(there) if len(there) > 4 else f"x{self.n}"
        if name in there:
            known, now = self.attempt("DELETE", f"/v1/nodes/{name}", None, {404}, name), False
        else:
            known = self.attempt("POST", "/v1/nodes", {"name": name, "url": f"http://127.0.0.1:{10000 + self.n % 50000}"}, {409}, name)
            self.added += known == ledger.DONE
            now = True
        if known == ledger.DONE:
            self.there[name] = {now}
        elif known == ledger.UNKNOWN:
            self.there[name].add(now)

    def attempt(self, method, path, body, refusals, name):
        """A refusal that says: it is so already; only where that may be."""
        r = self.call(method, path, body)
        if r is not None and r.status in refusals:
            assert len(self.there[name]) == 2, (method, path, r.status, r.body, self.there[name])
            return ledger.DONE
        known = ledger.UNKNOWN if r is None else ledger.outcome(r)
        self.counts[known] += 1
        return known

    def give_title(self, node):
        known, _ = self.write("PATCH", f"/v1/nodes/{node}", {"title": f"title {self.n}"})
        if known == ledger.DONE:
            self.title[node] = {f"title {self.n}"}
        elif known == ledger.UNKNOWN:
            self.title[node].add(f"title {self.n}")

    def order(self, node):
        verb = self.chance.choice(["pause", "verify"])
        r = self.call("POST", f"/v1/nodes/{node}/{verb}")
        while verb == "pause" and (r is None or r.status != 202):
            r = self.call("POST", f"/v1/nodes/{node}/resume")
            verb = "pause" if r is None or r.status != 202 else "resumed"
        if verb == "pause":
            lab.wait_until("resumed", lambda: (x := self.call("POST", f"/v1/nodes/{node}/resume")) is not None and x.status == 202)

    def check(self, centre):
        for node in self.nodes:
            assert centre.node(node)["title"] in self.title[node], (centre.node(node)["title"], self.title[node])
        names = [n["name"] for n in centre.nodes()]
        assert len(names) == len(set(names))
        for name, may_be in self.there.items():
            assert (name in names) in may_be, f"{name}: {names}, {may_be}"
        assert self.added > 0


class Unsure:
    """A mixin for a program: a commit in ten of its database in SQLite reports an error, be it done or not."""
    environment = {"TIDEMARK_UNCERTAIN": "10"}

    def argv(self):
        program, *rest = super().argv()
        return [lab.BIN / "tests" / "uncertain" / program.name, *rest]

    def wrong(self):
        """How many were done, and how many not."""
        text = self.log_text()
        return text.count("uncertain done\n"), text.count("uncertain not\n")


class UnsureLocal(Unsure, lab.Local):
    pass


class UnsureCentre(Unsure, lab.Centre):
    pass


def test_commits_of_unknown_outcome_to_sqlite(site):
    """At either end.  Which commits it meets is left to chance, as the order of two threads is."""
    locals_ = [site.adopt(UnsureLocal(site.path, name)) for name in ("a", "b")]
    centre = site.adopt(UnsureCentre(site.path, locals_, options=["--poll-interval", "20ms"]))
    books, began = ledger.Books(locals_, centre, 0), time.monotonic()
    ends = {"locals": locals_, "centre": [centre]}

    def counts(end):
        return tuple(map(sum, zip(*(p.wrong() for p in ends[end]))))

    lab.wait_until("as many as wanted", lambda: all(sum(counts(end)) >= COMMITS / 2 for end in ends) or not all(
        k.is_alive() for k in books.all()), 60 + COMMITS)
    acknowledged, unknown, kept, records = books.close()
    for end in ends:
        print("at the %s %d that were done and %d that were not" % (end, *counts(end)))
        assert all(counts(end))
    print(f"{acknowledged} writes acknowledged, {unknown} of unknown outcome, {kept} losers kept, {records} records, "
          f"{time.monotonic() - began:.0f} s")
    assert unknown > 0
    kinds = {e["kind"] for e in centre.all_events()}
    assert not kinds & FALSE_ALARMS, kinds


def test_commits_of_unknown_outcome_to_postgresql(site, databases):
    seed = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
    print(f"TIDEMARK_SEED={seed} TIDEMARK_COMMITS={COMMITS} tests/run e2e/test_commit.py")
    locals_ = [site.local("a"), site.local("b")]
    store = commits.Store(site.path / "proxy", databases(), seed)
    centre = site.centre(*locals_, options=["--poll-interval", "20ms"], store=store)
    proxy, began, sums, cut = store.proxy, time.monotonic(), [0, 0], 0
    operator = Operator(lambda: centre.url, seed, ["a", "b"])
    operator.start()
    while cut < COMMITS:
        part = min(ROUND, COMMITS - cut)
        books = ledger.Books(locals_, centre, seed, cut)
        proxy.budget = part
        lab.wait_until("all are cut", lambda: proxy.budget <= 0 or not all(k.is_alive() for k in [operator, *books.all()]), 60 + part)
        cut += part
        acknowledged, unknown, kept, records = books.close(names=("a", "b"), last=operator if cut >= COMMITS else None)
        sums = [sums[0] + acknowledged, sums[1] + unknown]
        print(f"{cut} commits cut, {sums[0]} writes acknowledged, {sums[1]} of unknown outcome, {kept} losers kept, {records} records, "
              f"{time.monotonic() - began:.0f} s", flush=True)
    operator.check(centre)
    for what, counts in sorted(proxy.cut.items()):
        print(f"{counts['before']:4} before and {counts['after']:4} after: {what}")
    assert set(proxy.swallowed) == {"COMMIT"}, proxy.swallowed  # they were done
    assert sums[1] > 0
    for kind in KINDS:
        alike = [c for what, c in proxy.cut.items() if set(kind.split(" + ")) <= set(what.split(" + "))]
        assert sum(c["before"] for c in alike) and sum(c["after"] for c in alike), f"not cut both ways: {kind}"
    kinds = {e["kind"] for e in centre.all_events()}
    assert not kinds & FALSE_ALARMS, kinds
