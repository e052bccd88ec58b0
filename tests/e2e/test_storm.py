"""Everything that a wire can do to a request, by chance, while both ends are written to and the local's database is wiped and restored:
afterwards both ends are equal, and nothing that was acknowledged is lost."""
import collections
import http.client
import itertools
import os
import queue
import random
import threading

import pytest

import lab
import load
import wire

pytestmark = pytest.mark.both_stores

EXCHANGES = int(os.environ.get("TIDEMARK_STORM", "400"))
ACCIDENTS = ("WIPED", "REWOUND", "CLONED", "DIVERGED", "CENTRE_REWOUND")


def vector(r):
    dots = (d.split(".") for d in r.get("vv") or [r["dot"]])
    return {actor: int(n) for actor, n in dots}


class Version:
    def __init__(self, r, where=None):
        self.actor, n = r["dot"].split(".")
        self.n, self.vv, self.where = int(n), vector(r), where

    def contains(self, other):
        return self.vv.get(other.actor, 0) >= other.n


class Ledger:
    """What was acknowledged.  A version may go when somebody who had seen it wrote another, or when it is archived."""

    def __init__(self):
        self.lock, self.written = threading.Lock(), collections.defaultdict(list)
        self.forgiven = 0

    def add(self, where, r):
        with self.lock:
            self.written[(r["owner"], r["id"])].append(Version(r, where))

    def missing(self, records):
        """By key what none of these records contains."""
        kept = by_key(records)
        with self.lock:
            return {k: lost for k, all_ in self.written.items() if (lost := [v for v in all_ if not any(x.contains(v) for x in kept[k])])}

    def forgive(self, owner, records):
        """The database is gone, and with it what it alone held."""
        for key, lost in self.missing(records).items():
            if key[0] == owner:
                with self.lock:
                    self.written[key] = [v for v in self.written[key] if v not in lost]
                self.forgiven += len(lost)

    def losers(self, archived):
        """By key the pairs that did not know each other, and were the last to do so: they were merged, so one of them, or what was
        written over it alone, must be in the archive."""
        kept, wrong = by_key(archived), {}
        for key, all_ in self.written.items():
            def alone(u, w, versions):
                return any(x.contains(u) and not x.contains(w) for x in versions if x is not u)

            for u, w in itertools.combinations(all_, 2):
                if u.contains(w) or w.contains(u) or alone(u, w, all_) or alone(w, u, all_):
                    continue
                if not alone(u, w, kept[key]) and not alone(w, u, kept[key]):
                    wrong.setdefault(key, []).append((vars(u), vars(w)))
        return wrong

    def ends(self, key):
        """Who wrote it: the centre, and each of the local's databases."""
        return {"centre" if v.where == "centre" else v.actor for v in self.written[key]}


def by_key(records):
    found = collections.defaultdict(list)
    for r in records:
        found[(r["owner"], r["id"])].append(Version(r))
    return found


class Editor(load.Load):
    """Writes and deletes records of its own and of those that both ends write, and enters what was acknowledged."""

    def __init__(self, ledger, where, url, ids, chance, pause):
        super().__init__()
        self.ledger, self.where, self.url, self.ids, self.chance, self.pause, self.n = ledger, where, url, ids, chance, pause, 0

    def once(self):
        self.n += 1
        rid = self.chance.choice(self.ids)
        try:
            if self.chance.random() < 0.1:
                r = lab.call(self.url() + rid, "DELETE", timeout=5)
            else:
                r = lab.call(self.url() + rid, "PUT", f'{{"type":"t","body":{self.n}}}', timeout=5)
        except (OSError, http.client.HTTPException):
            self.stopping.wait(0.005)  # its database is just being replaced
            return
        assert r.status in (200, 201, 404, 503), r.body
        if r.status in (200, 201):
            self.ledger.add(self.where, r.json)
        self.stopping.wait(self.pause)


class Weather:
    """What each request of a wire meets, by chance."""

    def __init__(self, w, others, seed, asks):
        self.wire, self.others, self.chance, self.asks = w, others, random.Random(seed), asks
        self.met = collections.Counter()
        self.out = False  # nothing gets through
        w.choose = self.choose

    def choose(self, x):
        fault = self.cut_off() if self.out else self.pick()
        self.met[fault.name.partition("(")[0]] += 1
        if not fault.harmless:
            self.asks.put(self.wire.name)  # no time is lost in waiting
        return fault

    def cut_off(self):
        return wire.cut_request(0)

    def pick(self):
        c = self.chance
        if c.random() < 0.4:
            return wire.passes()
        return c.choice([
            lambda: wire.cut_answer(0, reset=c.random() < 0.5), lambda: wire.cut_answer(0),
            lambda: wire.cut_answer(c.randrange(4000), reset=c.random() < 0.5), lambda: wire.cut_request(c.randrange(2000), reset=c.random() < 0.5),
            lambda: wire.shorten(c.randrange(3000)), lambda: wire.twice(c.random() < 0.5), lambda: wire.late(c.randrange(1, 30)),
            self.replayed_request, self.old_answer, self.old_answer, self.old_of_another, lambda: wire.foreign(c.choice(self.others)),
            lambda: wire.garbage(c.choice([b"x", b"\n", b"{}\n", b'{"end":true}\n', b"HTTP/1.1 200 OK\r\n\r\n"]), c.random() < 0.5),
            lambda: wire.alter(c.random(), c.randrange(8), c.random() < 0.3),
            lambda: wire.trickle(c.randrange(50, 200), 0.001)])()

    def replayed_request(self):
        old = self.wire.old()
        return wire.replay_request(self.chance.choice(old)[0], self.chance.random() < 0.5) if old else wire.passes()

    def old_answer(self):
        old = self.wire.old(self.chance.choice([None, "pull", "push", "rename"]))
        if not old:
            return wire.cut_answer(0)
        request, answer = self.chance.choice(old)
        return wire.stale(answer, request.kind, self.chance.random() < 0.5)

    def old_of_another(self):
        old = self.chance.choice(self.others).old()
        return wire.stale(self.chance.choice(old)[1], "another's") if old else wire.cut_answer(0)


class Asker(load.Load):
    """Asks for a node's next exchange at once where one failed."""

    def __init__(self, centre):
        super().__init__()
        self.centre, self.asks = centre, queue.Queue()

    def once(self):
        try:
            name = self.asks.get(timeout=0.05)
        except queue.Empty:
            return
        self.centre.post(f"/v1/nodes/{name}/pull")


class Storm:
    def __init__(self, site, seed):
        self.site = site
        self.locals = [site.local("a"), site.local("b")]
        self.wires = [site.wire(l) for l in self.locals]
        self.centre = site.centre(*self.wires, options=["--poll-interval", "100ms", "--log-level", "debug"])
        self.ledger, self.asker = Ledger(), Asker(self.centre)
        self.weather = [Weather(w, [x for x in self.wires if x is not w], seed + i, self.asker.asks) for i, w in enumerate(self.wires)]
        self.editors = []
        for l in self.locals:
            for k in (1, 2):
                ids = [f"site{k}-{i}" for i in range(25)] + [f"both-{i}" for i in range(5)]
                self.edit(l, lambda l=l: f"{l.url}/v1/records/", ids, random.Random(seed + 10 + k), "local", 0.004)
            ids = [f"centre-{i}" for i in range(25)] + [f"both-{i}" for i in range(5)]
            self.edit(l, lambda l=l: f"{self.centre.url}/v1/records/{l.name}/", ids, random.Random(seed + 20), "centre", 0.01)
        self.backups = 0
        for x in [*self.editors, self.asker]:
            x.start()

    def edit(self, l, url, ids, chance, where, pause):
        self.editors.append(Editor(self.ledger, where, url, ids, chance, pause))

    def exchanges(self, n):
        """Until so many requests of the first node have met what they met."""
        w = self.wires[0]
        until = len(w.faults) + n
        lab.wait_until(f"{n} exchanges", lambda: len(w.faults) >= until, 60 + n / 10)

    def archived(self):
        found, after = [], None
        while True:
            page = self.centre.get("/v1/conflicts?limit=1000" + (f"&after={after}" if after else "")).json
            found += [c["record"] for c in page["conflicts"]]
            after = page["next"]
            if after is None:
                return found

    def versions(self):
        """All that the centre holds of both nodes, the archived ones too."""
        return [*self.archived(), *(r for l in self.locals for r in self.centre.records(l.name).values())]

    def backup(self):
        """Of a database whose epoch the centre knows, that it goes on from."""
        l = self.locals[0]
        lab.wait_until("one epoch", lambda: self.centre.node("a")["epoch"] == l.status()["epoch"], 60)
        l.stop()
        self.backups += 1
        kept = self.site.path / f"backup-{self.backups}"
        l.copy_to(kept)
        l.start()
        head = l.status()["head_seq"]
        self.exchanges(10)
        lab.wait_until("the centre knows more than the backup", lambda: (self.centre.node("a")["cursor"] or 0) > head, 60)
        return kept

    def accident(self, kept=None, past=False):
        """The database is replaced by the backup, or by none; what it alone held is gone."""
        l, weather = self.locals[0], self.weather[0]
        weather.out = past
        l.kill()
        if kept:
            l.restore_from(kept)
        else:
            l.wipe()
        l.start()
        self.ledger.forgive("a", [*self.versions(), *l.records().values()])
        if past:
            cursor = self.centre.node("a")["cursor"]
            lab.wait_until("it was written past the cursor", lambda: l.status()["head_seq"] > cursor, 60)
            weather.out = False

    def counted(self, w):
        """Each request that came to the wire has one outcome; one that was cancelled may not have come that far."""
        self.centre.post(f"/v1/nodes/{w.name}/pause")

        def fits():
            got = self.centre.outcomes(w.name)
            return len(w.faults) <= sum(got.values()) <= len(w.faults) + got["cancelled"]

        lab.wait_until("as many outcomes as requests", fits)

    def heal(self):
        for x in [*self.editors, self.asker]:
            x.stop()
        for w in self.wires:
            w.heal()
        for l in self.locals:
            self.centre.post(f"/v1/nodes/{l.name}/pull")
        self.centre.in_sync(seconds=60)


def test_a_storm_of_faults_loses_nothing(site):
    seed = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
    print(f"TIDEMARK_SEED={seed} TIDEMARK_STORM={EXCHANGES}")
    s = Storm(site, seed)
    part = EXCHANGES // 5
    s.exchanges(part)
    kept = s.backup()
    s.exchanges(part)
    s.accident(kept)
    s.exchanges(part)
    s.accident()
    s.exchanges(part)
    kept = s.backup()
    s.accident(kept, past=True)
    s.exchanges(part)
    s.heal()
    for w, weather in zip(s.wires, s.weather):
        print(w.name, len(w.faults), "requests,", w.resent, "sent again by libcurl:", dict(weather.met), dict(s.centre.outcomes(w.name)))
    for l in s.locals:
        s.centre.tool("verify", l.name)  # sums the rows at both ends
        assert lab.same_records(l, s.centre) > 30
    assert s.ledger.missing(s.versions()) == {}
    assert s.ledger.losers(s.archived()) == {}
    print("acknowledged", sum(map(len, s.ledger.written.values())), "gone with its database", s.ledger.forgiven, "conflicts", len(s.centre.conflicts()))
    told = collections.Counter(e["kind"] for e in s.centre.all_events() if e["kind"] in ACCIDENTS)
    assert told == {"WIPED": 1, "REWOUND": 2}, [e for e in s.centre.all_events() if e["kind"] in ACCIDENTS]
    for c in s.centre.conflicts():
        key = (c["owner"], c["record"]["id"])
        assert c["why"] == "superseded" or len(s.ledger.ends(key)) > 1, c
    for w in s.wires:
        s.counted(w)


class History:
    """A local and a centre whose every request and answer of the past comes again."""

    def __init__(self, site):
        self.site, self.local = site, site.local("a")
        self.wire = site.wire(self.local)
        self.centre = site.centre(self.wire, options=["--poll-interval", "100ms"])

    def edit(self, rid, body):
        assert lab.call(f"{self.centre.url}/v1/records/a/{rid}", "PUT", f'{{"type":"t","body":"{body}"}}').status in (200, 201)
        self.centre.in_sync("a")

    def live(self, name):
        """A record that both ends edit in turn, one that the centre makes and the local deletes, one the other way round."""
        self.local.write({"id": f"{name}-turns", "body": 1}, {"id": f"{name}-gone", "body": 1})
        self.centre.in_sync("a")
        self.edit(f"{name}-turns", "two")
        self.edit(f"{name}-made", "at the centre")
        self.local.write({"id": f"{name}-turns", "body": 3})
        self.centre.in_sync("a")
        self.edit(f"{name}-turns", "four")
        assert lab.call(f"{self.local.url}/v1/records/{name}-made", "DELETE").status == 200
        assert lab.call(f"{self.centre.url}/v1/records/a/{name}-gone", "DELETE").status == 200
        self.centre.in_sync("a")

    def backup(self, name):
        self.local.stop()
        self.local.copy_to(self.site.path / name)
        self.local.start()

    def accident(self, backup=None):
        """And before the centre hears of it, all that was ever sent comes again; then all that was ever answered."""
        self.wire.choose = lambda x: wire.cut_request(0)
        old = self.wire.old()
        self.local.kill()
        if backup:
            self.local.restore_from(self.site.path / backup)
        else:
            self.local.wipe()
        self.local.start()
        for request, _ in old:
            wire.Exchange(self.wire, None, request).forward(request.unparked())
        answers = [wire.stale(a, r.kind, deliver=i % 2 == 0) for i, (r, a) in enumerate(old)]
        self.wire.choose = lambda x: answers.pop() if answers else wire.passes()
        while answers:
            left = len(answers)
            self.centre.post("/v1/nodes/a/pull")
            lab.wait_until("an answer is used", lambda: len(answers) < left)
        self.centre.in_sync("a", seconds=60)

    def check(self, names, told):
        s = lab.same_records(self.local, self.centre)
        assert s == 3 * len(names)
        for name in names:
            assert self.local.get(f"/v1/records/{name}-turns").json["body"] == "four"
            assert self.local.get(f"/v1/records/{name}-made").status == 404 == self.local.get(f"/v1/records/{name}-gone").status
        assert collections.Counter(e["kind"] for e in self.centre.all_events() if e["kind"] in ACCIDENTS) == told
        assert [c for c in self.centre.conflicts() if c["why"] != "superseded"] == []


def test_nothing_old_comes_back_after_a_wipe_or_a_restore(site):
    h = History(site)
    h.live("first")
    h.backup("one")
    h.live("second")
    h.accident("one")
    h.check(["first", "second"], {"REWOUND": 1})
    h.live("third")
    h.accident("one")  # once more: the rename of the first time is among what comes again
    h.check(["first", "second", "third"], {"REWOUND": 2})
    h.accident()
    h.check(["first", "second", "third"], {"REWOUND": 2, "WIPED": 1})
