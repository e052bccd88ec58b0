"""The centre, and the tool that asks it."""
import subprocess
import urllib.parse

import ask
import program

POLL_INTERVAL = 0.5  # s


class Centre(program.Program):
    def __init__(self, directory, binaries, store, nodes, books):
        super().__init__("centre", directory)
        self.bin, self.store, self.nodes, self.books = binaries, store, nodes, books
        self.port = 0

    def start(self):
        known = [a for n in self.nodes for a in ("--node", f"{n.name}={n.link.url}")]
        self.spawn([self.bin / "tidemark-central", "--store", self.store, "--listen", f"127.0.0.1:{self.port}",
                    "--poll-interval", f"{POLL_INTERVAL * 1000:.0f}ms", *known])
        self.port = urllib.parse.urlsplit(self.url).port  # the same again after a restart

    def close(self):
        if self.running:
            self.stop()

    def get(self, path):
        self.must_run()
        return ask.done(self.url + path)

    def node(self, name):
        return self.get(f"/v1/nodes/{name}")

    def all_nodes(self):
        return {n["name"]: n for n in self.get("/v1/nodes?limit=1000")["nodes"]}

    def last_event(self):
        """The id of the newest event: what comes after it is new."""
        events = self.get("/v1/events?limit=1")["events"]
        return events[-1]["id"] if events else 0

    def events(self, after, node=None):
        """All of them since then, oldest first."""
        found = []
        while True:
            page = self.get(f"/v1/events?limit=1000&after={max(after, 1)}" + (f"&node={node}" if node else ""))
            found += page["events"]
            if page["next"] is None:
                return found
            after = page["next"]

    def conflicts(self, owner):
        return [c for c in self.get("/v1/conflicts?limit=1000")["conflicts"] if c["owner"] == owner]

    def put(self, owner, id_, body):
        """An edit at the centre, which is pushed to the owner."""
        self.must_run()
        text = f'{{"type":"reading","body":{body}}}'
        record = ask.done(f"{self.url}/v1/records/{owner}/{urllib.parse.quote(id_)}", "PUT", text.encode())
        self.books.note(owner, [{"id": id_, "body": body}])
        return record

    def record(self, owner, id_):
        return self.get(f"/v1/records/{owner}/{urllib.parse.quote(id_)}")

    def tool(self, *args, seconds=60):
        """The command tidemark: (its exit status, what it printed)."""
        self.must_run()
        r = subprocess.run([self.bin / "tidemark", "--central", self.url, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=seconds, text=True, errors="replace", check=False)
        return r.returncode, r.stdout.rstrip("\n")
