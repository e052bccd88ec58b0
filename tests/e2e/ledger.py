"""Writers who keep books: what was asked for, what was answered, and so what must be there at the end, and what must not.

An answer says that it was done (2xx, or a 503 whose `outcome` is `done`), or that it was not, or nothing: no answer came, or
a 503 whose `outcome` is `unknown`.  Whatever happened to any process meanwhile, what was done is there once; what was not is not; of the rest
each is there once or not at all.
"""
import collections
import http.client
import json
import random
import time

import lab
import load

DONE, NOT, UNKNOWN = "done", "not done", "unknown"


def outcome(r):
    """Of a write that was answered."""
    if r.status in (200, 201):
        return DONE
    assert r.status in (412, 503), (r.status, r.body)
    return {"unknown": UNKNOWN, "done": DONE, None: NOT}[r.json.get("outcome")]


class Keeper(load.Load):
    """Writes at one end of a node's records; `url()` is that end's, of `owner`'s records when it is the centre's."""

    def __init__(self, url, name, seed, owner=None, pause=0.002, timeout=20.0):
        super().__init__()
        self.url, self.name, self.owner, self.pause, self.timeout = url, name, owner, pause, timeout
        self.chance, self.counts = random.Random(f"{seed} {name}"), collections.Counter()

    def path(self, rid=""):
        return "/v1/records" + (f"/{self.owner}" if self.owner and rid else "") + (f"/{rid}" if rid else "")

    def call(self, method, path, body=None, headers=None):
        """None: no answer, as from one that has just been killed."""
        try:
            return lab.call(self.url() + path, method, body and json.dumps(body), headers, timeout=self.timeout)
        except (OSError, http.client.HTTPException):
            self.stopping.wait(0.003)
            return None

    def write(self, method, path, body=None, headers=None):
        """Its outcome, and the answer."""
        r = self.call(method, path, body, headers)
        known = UNKNOWN if r is None else outcome(r)
        if known != DONE and r is not None and r.status == 503:
            self.stopping.wait(0.01)
        self.counts[known] += 1
        self.said = (time.time(), None if r is None else (r.status, r.json["detail"] if r.status >= 400 else ""))
        return known, r

    def once(self):
        self.turn()
        if self.pause:
            self.stopping.wait(self.pause)

    def turn(self):
        raise NotImplementedError


class Alone(Keeper):
    """Nobody else writes these records: PUT, DELETE, and POST of records that get their ids there."""

    def __init__(self, *args, ids=150, **kw):
        super().__init__(*args, **kw)
        self.ids, self.n = ids, 0
        self.may_be = collections.defaultdict(lambda: {None})  # per id: what its body may be now; None = none
        self.history = collections.defaultdict(list)
        self.posted, self.id_of = {}, {}  # per number: the outcome, and the id that was answered

    def turn(self):
        self.n += 1
        if self.chance.random() < 0.1:
            return self.post()
        rid = f"{self.name}-{self.chance.randrange(self.ids)}"
        if self.chance.random() < 0.2 and self.may_be[rid] != {None}:
            known, body = self.write_delete(rid), None
        else:
            known, body = self.write("PUT", self.path(rid), {"type": "t", "body": self.n})[0], self.n
        self.history[rid].append((self.n, body, known, self.said))
        if known == DONE:
            self.may_be[rid] = {body}
        elif known == UNKNOWN:
            self.may_be[rid].add(body)
        return None

    def write_delete(self, rid):
        try:
            return self.write("DELETE", self.path(rid))[0]
        except AssertionError as e:
            if e.args[0][0] != 404 or None not in self.may_be[rid]:
                raise AssertionError(f"{rid} was acknowledged, and is not there: it may be one of {self.may_be[rid]}") from e
            return NOT  # what may not have been written was not

    def post(self):
        one = {"type": "p", "body": [self.name, self.n], **({"owner": self.owner} if self.owner else {})}
        self.posted[self.n], r = self.write("POST", "/v1/records", one)
        if self.posted[self.n] == DONE and r.status == 201:
            self.id_of[self.n] = r.json["records"][0]["id"]

    def check(self, records, owner):
        """Returns how many of its writes were acknowledged."""
        for rid, may_be in self.may_be.items():
            r = records.get((owner, rid))
            body = None if r is None or r["deleted"] else r["body"]
            assert body in may_be, f"{rid} is {body}, and may be one of {may_be}: {self.history[rid][-25:]}, {r}"
        found = collections.defaultdict(list)
        for (_, rid), r in records.items():
            if r["type"] == "p" and r["body"][0] == self.name:
                found[r["body"][1]].append(rid)
        for n, known in self.posted.items():
            assert len(found[n]) <= 1, f"number {n} is there twice: {found[n]}"
            assert known != DONE or found[n] == [self.id_of[n]], f"number {n} was acknowledged as {self.id_of[n]}: {found[n]}"
            assert known != NOT or not found[n], f"number {n} was refused, and is there"
        return self.counts[DONE]


class Both(Keeper):
    """Two of them write the same records, one at each end, each only over what it has read: nothing that was acknowledged
    disappears unless somebody who had seen it wrote over it; the losers of conflicts are in the archive."""

    def __init__(self, *args, ids=20, pause=0.02, **kw):
        super().__init__(*args, pause=pause, **kw)
        self.ids, self.n = ids, 0
        self.refusals = {}  # per (writer, number): what was said
        self.written = {}  # per (writer, number): (the record, what it was written over, its outcome)

    def turn(self):
        rid = f"both-{self.chance.randrange(self.ids)}"
        seen = self.call("GET", self.path(rid))
        if seen is None or seen.status == 503:
            return
        assert seen.status in (200, 404), seen.body
        over = tuple(seen.json["body"]) if seen.status == 200 else None
        when = {"If-Match": f'"{seen.json["hash"]}"'} if over else {"If-None-Match": "*"}
        self.n += 1
        me = (self.name, self.n)
        known, r = self.write("PUT", self.path(rid), {"type": "t", "body": me}, when)
        self.written[me] = (rid, over, known)
        if known == NOT:
            self.refusals[me] = (r.status, r.json["detail"])


def story(rid, leaf, written, record, kept):
    """What the books say of a record after a write, for who has to find out."""
    after = [(w, *x[1:]) for w, x in written.items() if x[0] == rid and (x[1] == leaf or w == leaf)]
    archived = [(c["id"], c["at"], c["why"], c["record"]["body"], c["record"]["dot"], c["record"]["updated_at"]) for c in kept if c["record_id"] == rid]
    children = [(w, *x[1:]) for w, x in written.items() if any(x[1] == a[0] for a in after)]
    return f"{after}; and over these: {children}; now: {record}; kept: {archived}"


def check_both(keepers, records, conflicts, owner):
    """Returns how many of the losers were kept."""
    written = {me: w for k in keepers for me, w in k.written.items()}
    refusals = {me: r for k in keepers for me, r in k.refusals.items()}
    over = collections.defaultdict(list)
    for me, (_, below, known) in written.items():
        if known != NOT:
            over[below].append(me)
    shown = {tuple(r["body"]) for (_, rid), r in records.items() if rid.startswith("both-")}
    kept = [c for c in conflicts if c["owner"] == owner]
    for c in kept:  # what a local showed and the centre had written over meanwhile is kept, and no conflict
        assert c["record_id"].startswith("both-") or c["why"] == "superseded", \
            f"a conflict over what only one end writes: {c}, {records.get((owner, c['record_id']))}"
    kept = [c for c in kept if c["record_id"].startswith("both-")]
    shown |= {tuple(c["record"]["body"]) for c in kept}
    hashes = [c["record"]["hash"] for c in kept]
    assert len(hashes) == len(set(hashes)), "an archived version is there twice"

    def leaf(me):
        """None: something shows it, or what was written over it.  Else a last write over it, which nothing shows."""
        todo, last = [me], me
        while todo:
            last = todo.pop()
            if last in shown:
                return None
            todo += over[last]
        return last

    for me, (rid, _, known) in written.items():
        assert known != NOT or me not in shown, f"{rid}: {me} was refused, and is there: {refusals[me]}"
        lost = known == DONE and leaf(me)
        assert not lost, f"{rid}: {me} was acknowledged, and neither it nor what was written over it is anywhere: " + story(
            rid, lost, written, records.get((owner, rid)), kept) + str([(m, r) for k in keepers for m, r in k.refusals.items() if written[m][1] == lost])
    return len(kept)


class Books:
    """All keepers of a round: three at each local and three at the centre."""

    def __init__(self, locals_, centre, seed, round_=0):
        self.locals, self.centre, self.keepers = locals_, centre, []
        for l in locals_:
            here, there = (lambda l=l: l.url), (lambda: centre.url)
            tag = f"{round_}-{l.name}"
            self.keepers.append((l, [Alone(here, f"l{tag}", seed), Alone(there, f"c{tag}", seed, owner=l.name)],
                                 [Both(here, f"bl{tag}", seed), Both(there, f"bc{tag}", seed, owner=l.name)]))
        for k in self.all():
            k.start()

    def all(self):
        return [k for _, alone, both in self.keepers for k in alone + both]

    def close(self, seconds=60, names=(), last=None):
        """Ends the writing (of `last` too), waits until all (named) are proven equal, compares; returns how many were
        acknowledged, unknown, losers kept, records."""
        lab.wait_until(f"each writes, {[(k.name, k.counts) for k in self.all()]}", lambda: all(k.counts[DONE] for k in self.all()), seconds=seconds)
        for k in self.all() + ([last] if last else []):
            k.stop()
        self.centre.in_sync(*names, seconds=seconds)
        conflicts, records = self.centre.all_conflicts(), 0
        kept = 0
        for l, alone, both in self.keepers:
            records += lab.same_records(l, self.centre)
            at_local = l.records()
            for k in alone:
                k.check(at_local, l.name)
            kept += check_both(both, at_local, conflicts, l.name)
        counts = sum((k.counts for k in self.all()), collections.Counter())
        return counts[DONE], counts[UNKNOWN], kept, records
