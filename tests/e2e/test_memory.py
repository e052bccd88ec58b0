"""The k-th allocation of a real program fails, in its own code or any library's: a request is refused, a connection ends or
the program gives up in so many words; it goes on or is started again, and nothing that was acknowledged is lost."""
import http.client
import mmap
import os
import signal
import struct

import pytest

import lab

PRELOAD = lab.BIN / "tests" / "preload" / "no_memory.so"
EACH = int(os.environ.get("TIDEMARK_FAULTS", "8"))  # tries of each kind of request; 0: all that there are
pytestmark = pytest.mark.skipif(any(s in lab.BIN.name for s in ("asan", "tsan")), reason="the sanitizers have allocators of their own")


class Scarce:
    """A mixin for a program: its memory can be made to fail."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        path = self.directory / f"{self.name}.memory"
        path.write_bytes(bytes(4096))
        self.environment = {"LD_PRELOAD": str(PRELOAD), "TIDEMARK_NO_MEMORY": str(path)}
        with open(path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 4096)

    def fail(self, k, ever=False):
        self.memory[4:12] = struct.pack("=II", 0, ever)
        self.memory[0:4] = struct.pack("=I", k)

    def heal(self):
        """How many allocations there were."""
        self.memory[0:4] = struct.pack("=I", 0)
        return struct.unpack("=I", self.memory[4:8])[0]


class ScarceLocal(Scarce, lab.Local):
    pass


class ScarceCentre(Scarce, lab.Centre):
    pass


class Torture:
    """Sends one request again and again, each time with another allocation failing."""

    def __init__(self, program):
        self.program, self.acknowledged, self.ended, self.n = program, {}, 0, 0

    def ask(self, request):
        try:
            return request()
        except (OSError, http.client.HTTPException):
            return None

    def again(self):
        """Alive, or it has ended in the one way that it may; then it is started."""
        p = self.program
        if self.alive():
            return
        assert (p.process.returncode == -signal.SIGABRT and "out of memory" in p.log_text()) or (
            p.process.returncode == 1 and " error failed " in p.log_text()), (p.process.returncode, p.log_text()[-2000:])
        self.ended += 1
        p.start()

    def alive(self):
        p = self.program
        for _ in range(2):
            if p.process.poll() is not None:
                return False
            r = self.ask(lambda: p.get("/healthz"))
            if r is not None:
                return True
            # it refuses connections: it is ending
            lab.wait_until("it has ended", lambda: p.process.poll() is not None)
        return False

    def ready(self):
        """Started again if it ended, each session with PostgreSQL that ended for want of memory there again."""
        def is_ready():
            self.again()
            r = self.ask(lambda: self.program.get("/readyz"))
            return r is not None and r.status == 200

        lab.wait_until("it is ready", is_ready)

    def every(self, request, ever=False):
        total = self.count(request)
        step = max(1, total // EACH) if EACH else 1
        for k in range(1, total + 1, step):
            self.ready()
            self.program.fail(k, ever)
            r = self.ask(request)
            self.program.heal()
            assert r is None or r.status < 300 or r.status in (500, 503), (k, r.status, r.body)
        self.ready()
        return total

    def count(self, request):
        def works():  # what is made once is made, each session is there
            self.again()
            r = self.ask(request)
            return r is not None and r.status < 300

        lab.wait_until("it answers", works)
        self.program.fail(1 << 31)
        works()
        n = self.program.heal()
        assert n > 0
        return n

    def write(self, put):
        self.n += 1
        i = f"w{self.n}"
        r = put(i, self.n)
        if r.status == 201:
            self.acknowledged[("a", i)] = self.n
        return r

    def holds(self, records):
        for key, body in self.acknowledged.items():
            assert records[key]["body"] == body
        assert self.acknowledged


def local_put(local):
    return lambda i, n: local.post("/v1/records", [{"id": i, "type": "t", "body": n}])


def centre_put(centre):
    return lambda i, n: lab.call(f"{centre.url}/v1/records/a/{i}", "PUT", f'{{"type":"t","body":{n}}}')


@pytest.mark.parametrize("ever", [False, True], ids=["once", "from_then_on"])
def test_a_local_without_memory(site, tmp_path, ever):
    local = site.adopt(ScarceLocal(tmp_path, "a"))
    local.write(*({"id": f"r{i}", "body": i} for i in range(20)))
    t = Torture(local)
    put = local_put(local)
    feed = "/v1/changes?centre={0}&request={0}&protocol=1&epoch={1}&after=0".format("0" * 31 + "1", local.status()["epoch"])
    counts = [t.every(lambda: t.write(put), ever)]
    for path in ("/v1/status", "/v1/records?limit=5", "/metrics", feed):
        counts.append(t.every(lambda p=path: local.get(p), ever))
    print(counts, "ended", t.ended)
    t.holds(local.records())
    centre = site.centre(local)
    centre.in_sync("a")
    lab.same_records(local, centre)


@pytest.mark.both_stores
@pytest.mark.parametrize("ever", [False, True], ids=["once", "from_then_on"])
def test_a_centre_without_memory(site, tmp_path, store_kind, databases, ever):
    """While it is asked it also polls: its allocations fail there as well."""
    local = site.local("a")
    store = databases() if store_kind == "postgres" else None
    centre = site.adopt(ScarceCentre(tmp_path, [local], store=store, options=["--poll-interval", "50ms"]))
    local.write(*({"id": f"r{i}", "body": i} for i in range(20)))
    centre.in_sync("a")
    t = Torture(centre)
    put = centre_put(centre)
    counts = [t.every(lambda: t.write(put), ever)]
    for path in ("/v1/status", "/v1/nodes", "/v1/records?owner=a&limit=5", "/v1/events?limit=5"):
        counts.append(t.every(lambda p=path: centre.get(p), ever))

    def pulled():
        local.write({"id": f"l{t.n}", "body": 1})
        return centre.post("/v1/nodes/a/pull")

    counts.append(t.every(pulled, ever))
    print(counts, "ended", t.ended)
    centre.in_sync("a", seconds=20)
    t.holds(centre.records("a"))
    lab.same_records(local, centre)
