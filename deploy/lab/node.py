"""A node: a tidemark-local with its database, and its link to the centre."""
import glob
import json
import shutil
import urllib.parse

import ask
import link
import program

BATCH = 5000  # records in one request
FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"


class Node(program.Program):
    def __init__(self, name, directory, binaries, board, books):
        super().__init__(name, directory)
        self.bin, self.books = binaries, books
        self.link = link.Link(board)
        self.db = directory / f"{name}.db"
        self.copies = directory / f"{name}.copy"
        self.skew_s = 0.0
        self.bursts = 0

    def start(self):
        argv = [self.bin / "tidemark-local", "--node", self.name, "--db", self.db, "--listen", "127.0.0.1:0"]
        self.spawn(argv, self.clock())
        parts = urllib.parse.urlsplit(self.url)
        self.link.connect((parts.hostname, parts.port))

    def stop(self):
        try:
            super().stop()
        finally:
            self.down()

    def kill(self):
        super().kill()
        self.down()

    def down(self):
        if not self.running:
            self.link.connect(None)

    def close(self):
        if self.running:
            self.stop()
        self.link.close()

    # Its database.

    def files(self):
        return sorted(self.directory.glob(self.db.name + "*"))

    def wipe(self):
        """kill -9, all its files deleted, and started again."""
        if self.running:
            self.kill()
        for f in self.files():
            f.unlink()
        self.start()

    def save(self):
        """A copy of the stopped database, for a roll back; it runs on after that if it ran."""
        ran = self.running
        if ran:
            self.stop()
        shutil.rmtree(self.copies, ignore_errors=True)
        self.copies.mkdir()
        for f in self.files():
            shutil.copy(f, self.copies)
        if ran:
            self.start()

    def roll_back(self):
        """kill -9, and the copy in the place of the database."""
        if not self.copies.exists():
            raise ask.Failed(f"there is no copy of {self.name} to go back to: save {self.name}")
        if self.running:
            self.kill()
        for f in self.files():
            f.unlink()
        for f in self.copies.iterdir():
            shutil.copy(f, self.directory)
        self.start()

    # Its clock.

    def clock(self):
        """The environment of a program whose clock is off; the monotonic clock is left alone, as on a machine whose clock was set."""
        if not self.skew_s:
            return None
        found = glob.glob(FAKETIME)
        if not found:
            raise ask.Failed("libfaketime is not installed: deploy/deps lab")
        return {"LD_PRELOAD": found[0], "FAKETIME": f"{self.skew_s:+.6f}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def skew(self, seconds):
        """Started again with a clock that is so far ahead (negative: behind) of this machine's."""
        before, self.skew_s = self.skew_s, seconds
        try:
            self.clock()
        except ask.Failed:
            self.skew_s = before
            raise
        if self.running:
            self.stop()
        self.start()

    # Records, at the node itself, as an application writes them.

    def write(self, records):
        """[{id, body}], each body JSON text, of type "reading"; returns what was acknowledged."""
        self.must_run()
        acknowledged = []
        for at in range(0, len(records), BATCH):
            part = records[at:at + BATCH]
            lines = "\n".join(f'{{"id":{json.dumps(r["id"])},"type":"reading","body":{r["body"]}}}' for r in part)
            acknowledged += ask.done(self.url + "/v1/records", "POST", lines.encode())["records"]
            self.books.note(self.name, part)
        return acknowledged

    def burst(self, count):
        self.bursts += 1
        return self.write([{"id": f"b{self.bursts}-{i:06}", "body": f'{{"burst":{self.bursts},"n":{i},"value":{i / 8:.3f}}}'} for i in range(count)])

    def status(self):
        self.must_run()
        return ask.done(self.url + "/v1/status")

    def record(self, id_):
        self.must_run()
        return ask.done(f"{self.url}/v1/records/{urllib.parse.quote(id_)}")
