"""Answers and requests that are cut or altered, at any byte: nothing partial is applied, nothing is believed, and the next good one works."""
import os
import random

import pytest

import lab
import wire

# Of the bytes at which a message can be cut, so many are tried, and every one when it is 0.
CUTS = int(os.environ.get("TIDEMARK_WIRE_CUTS", "30"))


@pytest.fixture
def seed():
    n = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
    print(f"TIDEMARK_SEED={n} TIDEMARK_WIRE_CUTS={CUTS}")
    return n


class Line:
    """A local, a centre that asks only when it is told to, and the wire between them, which the test steps through."""

    def __init__(self, site, seed):
        self.site, self.chance = site, random.Random(seed)
        self.local = site.local("a")
        self.wire = site.wire(self.local)
        self.local.write({"id": "old", "body": "old"})
        self.centre = site.centre(self.wire, options=["--poll-interval", "60s"])
        self.centre.in_sync("a")
        self.cuts = 0
        self.step = wire.Stepper(self.wire)

    def ask(self):
        assert self.centre.post("/v1/nodes/a/pull").status == 202

    def edit(self, rid, body):
        assert lab.call(f"{self.centre.url}/v1/records/a/{rid}", "PUT", f'{{"type":"t","body":"{body}"}}').status in (200, 201)

    def next(self, *kinds):
        """Asks, and returns the request as it waits at the wire: so what came before is over at the centre."""
        self.ask()
        return self.step.next(*kinds)

    def known(self):
        """What the centre holds of the node, and believes of it."""
        n = self.centre.node("a")
        told = [e["kind"] for e in self.centre.events("a") if e["kind"] != "node.state" and not e["who"]]
        return {k: n[k] for k in ("epoch", "cursor", "records")} | {"proof": n["proof"]["poll"], "told": told}

    def places(self, size):
        """Where to cut a message of this size: everywhere, or at some places and at the end."""
        inner = range(1, size - 2)
        return [*(inner if CUTS == 0 or CUTS >= len(inner) else self.chance.sample(inner, CUTS)), size - 2, size - 1]

    def cut_everywhere(self, held, fault, check, lead=lambda held, n: held, most=None):
        """From a request that waits at the wire lead() comes to one that meets fault(n); with the one after it check() looks at what
        came of that.  n is everywhere in the answer, or at so many places.  Returns the last one, still waiting."""
        places = [0]
        while places:
            n = places.pop(0)
            x = lead(held, n)
            x.decision.put(fault(n))
            held = self.next()
            assert x.answer, n
            check(n, x, held)
            self.cuts += 1
            if n == 0:
                places = self.places(len(x.answer if fault is cut else wire.body_of(x.answer)) - (SEAL if fault is flip else 0))
                if most:
                    places = self.chance.sample(places, min(len(places), most - 1))
        return held


@pytest.fixture
def line(site, seed):
    made = Line(site, seed)
    yield made
    made.step.stop()
    print(f"{made.cuts} cuts")


def cut(n):
    return wire.cut_answer(n, reset=n % 2 == 1)


def flip(n):
    return wire.alter(n, n % 8)


SEAL = len(',"check":"') + 16 + len('"}\n')  # no part of what is told: without its name it is none, and nothing else is altered


@pytest.mark.parametrize("how", [cut, wire.shorten, flip])
@pytest.mark.parametrize("records", [0, 1, 5])
def test_a_page_that_is_cut_or_altered_changes_nothing(line, records, how):
    first = line.next("pull")  # waits at the wire, so none is parked at the local
    known = line.known()
    if records:
        line.local.write(*({"id": f"new-{i}", "body": i} for i in range(records)))

    def check(n, x, after):
        assert x.answer.count(b"\n{") == 2 + records, n
        assert after.request.kind == "pull" and after.request.basis == first.request.basis, n
        assert line.known() == known, n

    line.cut_everywhere(first, how, check).decision.put(wire.passes())
    line.step.stop()
    line.centre.in_sync("a")
    assert lab.same_records(line.local, line.centre) == 1 + records


def test_the_answer_to_a_push_that_is_cut_is_made_good_by_the_next_pull(line):
    """The local has stored what was pushed; the centre learns it from the feed and pushes nothing again."""
    pushes = 0

    def edited(pull, n):
        line.edit("old", f"edit {n}")
        pull.decision.put(wire.passes())
        return line.next("push")

    def check(n, x, after):
        nonlocal pushes
        pushes += 1
        node = line.centre.node("a")
        assert after.request.kind == "pull" and after.request.basis["witness"] == x.request.basis["witness"], n
        assert int(after.request.basis["after"]) == node["cursor"] == pushes and node["backlog"]["push"] == 1, n
        assert line.local.get("/v1/records/old").json["body"] == f"edit {n}", n

    line.cut_everywhere(line.next("pull"), cut, check, edited).decision.put(wire.passes())
    line.step.stop()
    line.centre.in_sync("a")
    assert lab.same_records(line.local, line.centre) == 1
    assert line.local.status()["head_seq"] == 1 + pushes, "each edit is one change at the local"
    assert {c["why"] for c in line.centre.conflicts()} <= {"superseded"}, "edited again before the local was known to hold the last one"


@pytest.mark.parametrize("how", [wire.cut_request, flip])
def test_a_push_that_is_cut_or_altered_on_its_way_is_not_applied(line, how):
    pull = line.next("pull")
    line.edit("old", "edited")
    line.edit("born", "at the centre")
    pull.decision.put(wire.passes())
    x = line.next("push")
    for n in [0, *line.places(len(x.request.raw if how is wire.cut_request else wire.body_of(x.request.raw)))]:
        x.decision.put(wire.cut_request(n, reset=n % 2 == 1) if how is wire.cut_request else wire.alter(n, n % 8, of_request=True))
        pull = line.next("pull")
        s = line.local.status()
        assert (s["head_seq"], s["records"]) == (1, 1), n
        line.cuts += 1
        pull.decision.put(wire.passes())
        x = line.next("push")
    x.decision.put(wire.passes())
    line.step.stop()
    line.centre.in_sync("a")
    assert lab.same_records(line.local, line.centre) == 2
    assert line.local.status()["head_seq"] == 3
    assert line.centre.events("a", "rejected") == []


def answers_of(line, kind):
    return line.wire.old(kind)[-1][1]


OUTCOMES = [  # what becomes of a request, and what the centre counts
    (lambda _: wire.passes(), "ok"),
    (lambda _: wire.twice(True), "ok"),
    (lambda _: wire.twice(False), "ok"),
    (lambda _: wire.trickle(100, 0.001), "ok"),
    (lambda _: wire.garbage(b"HTTP/1.1 500 Oh\r\n\r\n", counted=False), "ok"),
    (lambda _: wire.garbage(b"x", counted=True), "bad_body"),
    (lambda _: wire.garbage(b'{"end":true}\n', counted=True), "bad_body"),
    (lambda _: wire.cut_answer(0), "network"),
    (lambda _: wire.cut_answer(300, reset=True), "network"),
    (lambda _: wire.cut_request(50), "network"),
    (lambda _: wire.late(3), "network"),
    (lambda _: wire.shorten(0), "bad_body"),
    (lambda _: wire.shorten(200), "bad_body"),
    (lambda _: wire.alter(10, 3), "bad_body"),
    (lambda line: wire.stale(answers_of(line, "pull"), "an old page"), "bad_body"),
    (lambda line: wire.stale(line.foreign, "another node's page"), "wrong_node"),
    (lambda line: wire.foreign(line.other), "wrong_node"),
]


def test_every_request_has_one_outcome(line):
    """Whatever becomes of it: it is counted once, under one result, and the next good one makes it good."""
    b = line.site.local("b")
    line.other = line.site.wire(b)
    e = b.status()["epoch"]
    q = f"centre={'1' * 32}&request={'2' * 32}&protocol=1&epoch={e}&witness=0.{'0' * 32}&after=0"
    line.foreign = wire.Exchange(line.other, None, wire.Request(f"GET /v1/changes?{q} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())).forward()
    held = line.next("pull")
    for kind in ("pull", "push"):
        for i, (fault, result) in enumerate(OUTCOMES):
            if kind == "push":
                line.edit("old", f"edit {i}")
                held.decision.put(wire.passes())
                held = line.next("push")
            else:
                line.local.write({"id": "old", "body": i})
            before, requests = line.centre.outcomes("a"), len(line.wire.faults)
            chosen = fault(line)
            held.decision.put(chosen)
            held = line.next("pull")
            assert line.centre.outcomes("a") - before == {result: 1}, (kind, chosen.name)
            assert len(line.wire.faults) == requests + 1
    held.decision.put(wire.passes())
    line.step.stop()
    line.centre.in_sync("a")
    assert lab.same_records(line.local, line.centre) == 1
    line.centre.post("/v1/nodes/a/pause")
    lab.wait_until("as many outcomes as requests", lambda: sum(line.centre.outcomes("a").values()) == len(line.wire.faults))


TRIES = 4  # a comparison that fails once more is given up, and everything is read
ACCIDENTS = ("WIPED", "REWOUND", "CLONED", "DIVERGED", "CENTRE_REWOUND")


class Repair:
    """What the centre does after an accident at the local, every answer of it harmed everywhere."""

    def __init__(self, line, how):
        self.line, self.how, self.held, self.told = line, how, line.next("pull"), []

    def harm(self, *told, to=None, most=None):
        """While it is harmed it is only repeated and no more is told; whole, it leads `to` the next one."""
        def check(n, x, after):
            assert after.request.kind == x.request.kind and after.request.basis == x.request.basis, n
            self.check_told()

        self.held = self.line.cut_everywhere(self.held, self.how, check, most=most)
        if to:
            self.told += told
            self.held.decision.put(wire.passes())
            self.held = self.line.next(to)
            self.check_told()

    def check_told(self):
        assert [k for k in self.line.known()["told"] if k in ACCIDENTS] == self.told

    def settle(self):
        """The database may be replaced: all that was written is at the centre."""
        for _ in range(2):
            self.held.decision.put(wire.passes())
            self.held = self.line.next("pull")
        lab.same_records(self.line.local, self.line.centre)
        self.line.local.stop()

    def end(self):
        self.held.decision.put(wire.passes())
        self.line.step.stop()
        self.line.centre.in_sync("a")
        self.check_told()
        return lab.same_records(self.line.local, self.line.centre)


@pytest.mark.parametrize("how", [cut, flip])
def test_every_answer_of_the_repair_of_a_restored_local_is_cut_or_altered(line, how):
    line.local.stop()
    line.local.copy_to(line.site.path / "backup")
    line.local.start()
    r = Repair(line, how)
    line.local.write({"id": "old", "body": "newer"}, {"id": "lost", "body": 1})
    r.settle()
    line.local.restore_from(line.site.path / "backup")
    line.local.start()
    line.local.write(*({"id": f"past-{i}", "body": i} for i in range(4)))
    r.harm("REWOUND", to="rename")
    epoch = r.held.request.query["to"]
    assert line.local.status()["epoch"] != epoch
    r.harm(to="digest")
    assert line.local.status()["epoch"] == epoch == line.known()["epoch"]
    r.harm(to="fetch", most=TRIES)
    r.harm(to="push", most=TRIES)
    assert r.end() == 6
    assert line.local.get("/v1/records/old").json["body"] == "newer" and line.local.get("/v1/records/lost").json["body"] == 1


@pytest.mark.parametrize("how", [cut, flip])
def test_every_answer_is_cut_or_altered_while_a_database_is_wiped_and_put_back(line, how):
    r = Repair(line, how)
    r.settle()
    line.local.copy_to(line.site.path / "backup")
    line.local.wipe()
    line.local.start()
    r.harm("WIPED", to="pull")
    r.harm(to="push")
    r.settle()
    line.local.restore_from(line.site.path / "backup")
    line.local.start()
    r.harm(to="probe")
    r.harm()
    line.step.stop()
    r.held.decision.put(wire.passes())
    lab.wait_until("identity_conflict", lambda: line.centre.node("a")["state"] == "identity_conflict")
    r.told = ["WIPED", "CLONED"]
    r.check_told()
    line.centre.tool("node", "resume", "a")
    line.centre.in_sync("a")
    r.check_told()
    assert lab.same_records(line.local, line.centre) == 1
