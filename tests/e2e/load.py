"""Writers that go on through kills and outages and remember what was acknowledged."""
import http.client
import json
import threading

import lab


class Load(threading.Thread):
    """Calls once() until stop(); what fails in it fails the test at stop()."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping, self.wrong = threading.Event(), None

    def once(self):
        raise NotImplementedError

    def run(self):
        try:
            while not self.stopping.is_set():
                self.once()
        except Exception as e:  # pylint: disable=broad-except
            self.wrong = e

    def stop(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive(), "a writer hangs"
        if self.wrong:
            raise self.wrong


class Writer(Load):
    """PUTs numbered records as fast as it can at `where() + id`: new ones, then overwrites."""

    def __init__(self, where, prefix, ids=400, pause=0.0, timeout=5.0):
        super().__init__()
        self.where, self.prefix, self.ids, self.pause, self.timeout = where, prefix, ids, pause, timeout
        self.acknowledged, self.n, self.refused = {}, 0, 0

    def once(self):
        self.n += 1
        rid = f"{self.prefix}-{self.n % self.ids}"
        try:
            r = lab.call(self.where() + rid, "PUT", f'{{"type":"t","body":{self.n}}}', timeout=self.timeout)
        except (OSError, http.client.HTTPException):
            self.stopping.wait(0.005)  # it has just been killed
            return
        if r.status in (200, 201):
            self.acknowledged[rid] = self.n
        else:
            assert (r.status, r.code) == (503, "unavailable"), r.body
            self.refused += 1
            self.stopping.wait(0.02)
        if self.pause:
            self.stopping.wait(self.pause)

    def check(self, records, owner):
        """`records` has what was acknowledged; a later write may have been made without its answer having come."""
        for rid, n in self.acknowledged.items():
            assert n <= records[(owner, rid)]["body"] <= self.n, rid
        return len(self.acknowledged)


class Batches(Load):
    """POSTs many new records at once at a local, so that the centre's pages are large."""

    def __init__(self, local, size, pause=0.0):
        super().__init__()
        self.local, self.size, self.pause, self.n = local, size, pause, 0

    def once(self):
        lines = (json.dumps({"id": f"b{self.n}-{i}", "type": "batch", "body": {"n": self.n, "i": i, "text": "x" * 100}})
                 for i in range(self.size))
        assert self.local.post("/v1/records", "\n".join(lines)).status == 201
        self.n += 1
        if self.pause:
            self.stopping.wait(self.pause)

    def check(self, records, owner):
        for n in range(self.n):
            for i in range(self.size):
                assert records[(owner, f"b{n}-{i}")]["body"]["n"] == n
        return self.n * self.size
