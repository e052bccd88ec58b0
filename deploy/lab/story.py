"""The lab story: what befalls centres and nodes, what the centre makes of it, and whether both ends then hold the same.

Each chapter leaves everything in step.  Checks ask the programs as their users do: by HTTP and by the tool.
"""
import json
import subprocess
import time

import ask
import centre
import checks

INTERVAL = centre.POLL_INTERVAL
ALARMS = ("WIPED", "REWOUND", "CLONED", "CENTRE_REWOUND", "DIVERGED", "conflict", "rejected", "quarantined")
PROMPT = 0.1  # s: a write at a node whose link is whole is at the centre by then, at the median


def asked(check, seconds):
    """Makes the check again until it holds; its last result."""
    last = None

    def holds():
        nonlocal last
        last = check()
        return last[0]

    ask.until(holds, seconds)
    return last


class Story:
    def __init__(self, lab, narrator):
        self.lab, self.tell, self.centre = lab, narrator, lab.centre
        self.one, self.two, self.three = list(lab.nodes.values())[:3]
        self.probes, lab.plays = 0, lab.plays + 1
        lab.books.bodies.clear()  # what was written by hand before may have been lost by hand

    def play(self, names=()):
        """All of it, or the named chapters between the first and the last; narrator.Broken at the first check that does not hold."""
        wanted = [CHAPTERS[n] for n in CHAPTERS if not names or n in names or n in ALWAYS]
        for number, (title, chapter) in enumerate(wanted, 1):
            self.tell.chapter(number, len(wanted), title)
            chapter(self)
            self.tell.pause(1.5)

    # What chapters have in common.

    def watch(self, name, holds, seconds):
        """Asks about the node until holds(answer), and shows each change of its state; the last answer."""
        last, shown = None, None
        deadline = time.monotonic() + seconds
        while last is None or (not holds(last) and time.monotonic() < deadline):
            last = self.centre.node(name)
            if last["state"] != shown:
                shown = last["state"]
                self.tell.show(f"{name}  {shown}  {last['reason']}")
            time.sleep(0.01)
        return last

    def in_step(self, *nodes, seconds=30):
        """The tool waits until they (or all) are proven equal, by a proof made from now on; then both ends of each are asked."""
        nodes = nodes or tuple(self.lab.nodes.values())
        names = [n.name for n in nodes]
        status, said = self.centre.tool("wait", "--in-sync", "--quiet", "--timeout", f"{seconds}s", *names, seconds=seconds + 20)
        if status != 0:
            self.tell.hold(f"tidemark wait --in-sync {' '.join(names)}", (False, said or f"exit status {status}"))
        for n in nodes:
            self.tell.hold(f"{n.name} and the centre are equal", self.equal(n))

    def equal(self, node):
        """A proof may be a moment older than the last write: asked until it is of now."""
        return asked(lambda: checks.proven_equal(self.centre.node(node.name), node.status()), 10)

    def new_events(self, mark, node):
        return self.centre.events(mark, node.name)

    def id(self, name):
        """A record's: another in each play."""
        return name if self.lab.plays == 1 else f"{name}.{self.lab.plays}"

    def write_some(self, node, name, count):
        return node.write([{"id": self.id(f"{name}-{i}"), "body": json.dumps({name: i})} for i in range(count)])

    def latency(self, node):
        """s from a write at the node until the centre shows it."""
        self.probes += 1
        id_ = self.id(f"probe-{self.probes}")
        began = time.monotonic()
        node.write([{"id": id_, "body": str(self.probes)}])
        ask.until(lambda: ask.call(f"{self.centre.url}/v1/records/{node.name}/{id_}").status == 200, 10)
        return time.monotonic() - began

    # The chapters.

    def together(self):
        self.lab.put_right()
        for n in self.lab.nodes.values():
            self.tell.do(f"1000 records are written at {n.name}")
            n.burst(1000)
        self.in_step()
        self.tell.show(self.centre.tool("nodes")[1])

    def kill_a_node(self):
        node, others = self.two, (self.one, self.three)
        self.tell.do(f"kill -9 of {node.name} (pid {node.pid})")
        began = time.monotonic()
        node.kill()
        seen = self.watch(node.name, lambda n: n["state"] == "offline", 5)
        took = time.monotonic() - began
        self.tell.hold(f"the centre says of {node.name}", checks.is_state(seen, "offline"))
        self.tell.hold("… within two poll intervals", checks.soon_enough(took, 2 * INTERVAL))
        self.tell.do(f"300 records are written at {self.one.name}, and 20 at the centre for {node.name}")
        self.write_some(self.one, "elsewhere", 300)
        for i in range(20):
            self.centre.put(node.name, self.id(f"meanwhile-{i}"), str(i))
        self.in_step(*others)
        self.tell.hold("the centre waits, and keeps what is for it", checks.waits(self.centre.node(node.name), 20))
        why = self.centre.tool("why", node.name)[1]
        self.tell.show("\n".join(x for x in why.splitlines() if x.startswith((node.name, "waiting", "next", "to do"))))
        self.tell.do(f"{node.name} is started; nothing else is done, it is asked at its next attempt")
        node.start()
        down = self.centre.node(node.name)
        due, proven = down["next_attempt_at"], down["proof"]["at"]
        seen = self.watch(node.name, lambda n: n["state"] == "in_sync" and n["proof"]["at"] != proven, 75)
        self.tell.hold(f"{node.name} waited, was asked, and has caught up", checks.is_state(seen, "in_sync"))
        late = (checks.when(seen["proof"]["at"]) - checks.when(due)).total_seconds() if due else 0.0
        self.tell.hold("… proven equal within one interval of that attempt", (late <= INTERVAL, f"{late:+.2f} s"))
        self.in_step(node)
        self.tell.hold("what waited is there", checks.stands([node.record(self.id("meanwhile-19"))], 19))

    def wipe_a_node(self):
        node = self.three
        node.burst(10000)
        self.in_step(node)
        before, mark, epoch = node.status(), self.centre.last_event(), node.status()["epoch"]
        self.tell.do(f"the database of {node.name} is wiped: kill -9, its files deleted, started again; 5 records are written meanwhile")
        node.wipe()
        self.write_some(node, "after-wipe", 5)
        self.watch(node.name, lambda n: n["state"] == "in_sync" and n["epoch"] != epoch, 60)
        self.in_step(node)
        events = self.new_events(mark, node)
        self.tell.hold("the centre recognised a new database", checks.told(events, "WIPED"))
        self.tell.hold("it was refilled by push", checks.moved(events, "pushed", before["records"]))
        after = node.status()
        self.tell.hold("all of it is back, and what was written meanwhile", (after["records"] == before["records"] + 5, f"{before['records']} + 5 = {after['records']} records"))

    def roll_back_a_node(self):
        node = self.one
        self.tell.do(f"a copy of {node.name}'s database is put aside; then 50 records are written there, and pulled")
        node.save()
        self.write_some(node, "after-copy", 50)
        self.in_step(node)
        mark, known = self.centre.last_event(), self.centre.node(node.name)
        self.tell.do(f"{node.name} goes back to that copy, while its cable is out, and 100 other records are written there")
        node.link.cut()
        node.roll_back()
        self.write_some(node, "after-return", 100)
        self.tell.hold("written past what the centre had read, so positions alone show nothing", checks.beyond(node.status()["head_seq"], known["cursor"]))
        self.tell.do("the cable is put back")
        node.link.heal()
        self.watch(node.name, lambda n: n["state"] == "in_sync" and n["epoch"] != known["epoch"], 60)
        self.in_step(node)
        self.tell.hold("it was recognised", checks.told(self.new_events(mark, node), "REWOUND"))
        self.tell.hold("what the copy lacked is back at the node", checks.stands([node.record(self.id("after-copy-49"))], {"after-copy": 49}))
        self.tell.hold("what was written after the return is at the centre", checks.stands([self.centre.record(node.name, self.id("after-return-99"))], {"after-return": 99}))

    def skew_a_clock(self):
        node, mark = self.two, self.centre.last_event()
        self.tell.do(f"the clock of {node.name} is set 2.5 s ahead (it is started again with it)")
        node.skew(2.5)
        self.in_step(node)
        self.tell.hold("measured within its error, and flagged", asked(lambda: checks.flagged(self.centre.node(node.name)["clock"], 2.5), 6))
        self.tell.show("\n".join(x for x in self.centre.tool("nodes")[1].splitlines() if "SKEWED" in x or x.startswith("NODE")))
        self.tell.hold("the others are not", checks.right(self.centre.node(self.one.name)["clock"]))
        self.tell.do("100 records one after the other there; and one that is written there first and at the centre then")
        acknowledged = [a for i in range(100) for a in node.write([{"id": self.id(f"skewed-{i}"), "body": str(i)}])]
        self.tell.hold("nothing is reordered", checks.rising(acknowledged))
        node.write([{"id": self.id("ordered"), "body": '"first"'}])
        self.in_step(node)
        first = node.record(self.id("ordered"))
        second = self.centre.put(node.name, self.id("ordered"), '"second"')
        self.in_step(node)
        self.tell.hold("the later write stands, although its date is earlier",
                       checks.later_stands(first, second, node.record(self.id("ordered")), self.centre.record(node.name, self.id("ordered"))))
        self.tell.hold("nothing else came of it", checks.not_told(self.new_events(mark, node), ALARMS))
        self.tell.do("the clock is put right")
        node.skew(0.0)

    def edit_at_both_ends(self):
        node = self.one
        node.write([{"id": self.id("shared"), "body": '"as it was"'}])
        self.in_step(node)
        self.tell.do(f"the cable of {node.name} is out; record \"shared\" is edited at the centre, and at the node")
        node.link.cut()
        self.centre.put(node.name, self.id("shared"), '"edited at the centre"')
        node.write([{"id": self.id("shared"), "body": '"edited at the site"'}])
        self.tell.do("the cable is put back")
        node.link.heal()
        self.in_step(node)
        self.tell.hold("both ends have the site's version", checks.stands([node.record(self.id("shared")), self.centre.record(node.name, self.id("shared"))], "edited at the site"))
        self.tell.hold("the centre's version, which lost, is kept whole", checks.one_conflict(self.centre.conflicts(node.name), self.id("shared"), "edited at the centre"))
        self.tell.show(self.centre.tool("conflicts", "--owner", node.name)[1])

    def slow_and_cut_a_link(self):
        node, others = self.three, (self.one, self.two)
        self.tell.do(f"the link of {node.name} gets 300 ms slower")
        node.link.slow(300)
        slowed = self.latency(node)
        self.tell.hold(f"a write at {node.name} takes its time to the centre", (slowed >= 0.15, f"{slowed * 1000:.0f} ms"))
        self.tell.hold("the others are not affected", checks.quick([self.latency(n) for _ in range(10) for n in others], PROMPT))
        self.in_step(node)
        self.tell.do(f"its cable is pulled out: silence, in the middle of a request. 20 records are written at {node.name}, and others elsewhere all the while")
        node.link.cut()
        self.write_some(node, "unplugged", 20)
        latencies, began = [], time.monotonic()
        while self.centre.node(node.name)["state"] != "offline" and time.monotonic() - began < 40:
            latencies += [self.latency(n) for n in others]
            time.sleep(0.1)
        self.watch(node.name, lambda n: True, 1)
        self.tell.hold(f"the centre says of {node.name}, once its answer is overdue", checks.is_state(self.centre.node(node.name), "offline"))
        self.tell.hold("the others were not affected", checks.quick(latencies, PROMPT))
        for n in others:
            self.tell.hold(f"… and of {n.name}", checks.is_state(self.centre.node(n.name), "in_sync"))
        self.tell.do("the cable is put back")
        node.link.heal()
        self.in_step(node)
        self.tell.hold("what was written unplugged is at the centre", checks.stands([self.centre.record(node.name, self.id("unplugged-19"))], {"unplugged": 19}))

    def kill_the_centre(self):
        node, count = self.one, 20000
        before = self.centre.node(node.name)["cursor"]
        self.tell.do(f"{count} records are written at {node.name}, and pulled until the link stops in the middle of a page")
        node.link.cut()
        node.burst(count)
        size, head = 150 * count, node.status()["head_seq"]
        node.link.cut_within(size)
        reached = node.link.held.wait(30)
        self.tell.hold("the link let part of a page pass, up to the middle of a record", (reached, f"{size / 1e6:.1f} MB went through, and then silence"))
        self.tell.do(f"kill -9 of the centre (pid {self.centre.pid}); {self.two.name} works on alone")
        self.centre.kill()
        self.write_some(self.two, "alone", 10)
        self.tell.pause(2)
        self.centre.start()
        self.tell.do("the centre is started again; the link is still cut")
        self.tell.hold("it was killed in the middle: its store holds the whole pages, and nothing of the broken one",
                       checks.between(before, self.centre.node(node.name)["cursor"], head))
        self.tell.do("the cable is put back")
        node.link.heal()
        self.watch(node.name, lambda n: n["state"] == "in_sync", 60)
        self.in_step()
        self.tell.hold("not one twice, not one missing", (self.centre.node(node.name)["records"] == node.status()["records"], f"{node.status()['records']} records at both ends"))

    def the_end(self):
        self.in_step()
        for n in self.lab.nodes.values():
            status, said = self.centre.tool("verify", n.name, "--quiet")
            self.tell.hold(f"tidemark verify {n.name}", (status == 0, said.splitlines()[-1] if said else f"exit {status}"))
        for n in self.lab.nodes.values():
            here, there = self.exports(n)
            self.tell.hold(f"{n.name} and the centre hold the same, record for record", checks.same_records(here, there))
            self.tell.hold(f"… and that is what was written for {n.name}", checks.nothing_lost(self.lab.books.of(n.name), there))
        for n in self.lab.nodes.values():
            self.tell.hold(f"the clock of {n.name} is right", asked(lambda n=n: checks.right(self.centre.node(n.name)["clock"]), 20))
        self.tell.show(self.centre.tool("status")[1])

    def exports(self, node):
        """Both ends' records of the node, deleted ones too, as lines of NDJSON."""
        here, there = (self.lab.directory / f"{node.name}.{end}.ndjson" for end in ("node", "centre"))
        r = subprocess.run([self.lab.bin / "tidemark-local", "export", "--from", node.url, "--deleted", here], capture_output=True, text=True, timeout=120, check=False)
        if r.returncode != 0:
            raise ask.Failed(f"export of {node.name}: {r.stderr}")
        status, said = self.centre.tool("export", "--owner", node.name, "--deleted", str(there), seconds=120)
        if status != 0:
            raise ask.Failed(f"export at the centre: {said}")
        lines = [f.read_text(encoding="utf-8").splitlines() for f in (here, there)]
        here.unlink()
        there.unlink()
        return lines


CHAPTERS = {
    "together": ("The nodes in step", Story.together),
    "kill": ("A node is killed; the others go on; it comes back and catches up", Story.kill_a_node),
    "wipe": ("A node's database is wiped, and refilled", Story.wipe_a_node),
    "rollback": ("A node goes back to an old copy, and writes on", Story.roll_back_a_node),
    "clock": ("A clock is wrong", Story.skew_a_clock),
    "conflict": ("One record is edited at both ends", Story.edit_at_both_ends),
    "link": ("A slow link, and a cut one", Story.slow_and_cut_a_link),
    "centre": ("The centre is killed in the middle of a page", Story.kill_the_centre),
    "end": ("The end: every digest equal, record for record", Story.the_end),
}
ALWAYS = ("together", "end")
