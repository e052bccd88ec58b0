"""What crosses the line, as it is and packed.

    wire      records that --generate made, pulled as they are, as by default, and packed; and over a line of 20 Mbit/s
"""
import pathlib
import re
import secrets
import subprocess
import time

from ground import Site, cpu_s
import lab
from netns import ADDRESS, Away, Cable, Refused

BENCHES = ("wire",)

RECORDS = 200000
NODES = 2
RATE = 20000        # records a second of each generator
FAR_RECORDS = 20000  # of the one at the end of the slow line
LINE = "20mbit"


def generate(local, n):
    """Unless a run before has left them."""
    local.options = ["--generate", str(RATE)]
    local.start()
    lab.wait_until(f"{n} records", lambda: local.status()["records"] >= n, 30 + 2 * n / RATE)
    local.stop()
    local.options = []


def moved(centre):
    """(bytes of what nodes answered, as they came; records)"""
    text = centre.get("/metrics").body.decode()
    wire = int(re.search(r'tidemark_answer_bytes_total\{as="wire"\} (\d+)', text)[1])
    return wire, sum(n["records"] for n in centre.get("/v1/nodes").json["nodes"])


class Pull:
    """From the start of an empty centre to the proof that it holds all."""

    def __init__(self, site, name, locals_, options):
        centre = site.centre(name, locals_, options)
        before = sum(map(cpu_s, locals_))
        start = time.monotonic()
        centre.spawn()
        site.proven(centre, locals_)
        self.s = time.monotonic() - start
        self.centre_s, self.local_s = cpu_s(centre), sum(map(cpu_s, locals_)) - before
        centre.listens()
        self.wire, self.records = moved(centre)
        centre.stop()
        for f in centre.store.files():
            f.unlink()


def us(pulls, of):
    return [of(p) / p.records * 1e6 for p in pulls]


def loopback(site, table):
    modes = {"never": [], "auto": [], "always": []}
    for i in range(table.rounds):
        for k, mode in enumerate(("never", "auto", "always", "auto", "never")):
            modes[mode].append(Pull(site, f"{mode}{i}{k}", site.locals, ["--compress", mode]))
    never, auto, always = modes.values()
    never_s, auto_s = ([a.s + b.s for a, b in zip(pulls[::2], pulls[1::2])] for pulls in (never, auto))
    n = f"{never[0].records:,} records that --generate {RATE} made"
    table.add("wire, as it is", "B/record", [p.wire / p.records for p in never], f"of the answers of {NODES} locals with {n}")
    table.add("wire, packed", "B/record", [p.wire / p.records for p in always], "the same by zstd", at_most=40)
    table.add("wire, default / as it is", "times", [a / b for a, b in zip(never_s, auto_s)], "how fast, over loopback, without a word",
              at_least=0.97)
    table.add("wire, packed / as it is", "times", [a / 2 / b.s for a, b in zip(never_s, always)], "how fast, over loopback, with --compress always")
    for name, pulls in (("as it is", never), ("packed", always)):
        table.add(f"wire, {name}, centre CPU", "µs/record", us(pulls, lambda p: p.centre_s), "user and system")
        table.add(f"wire, {name}, local CPU", "µs/record", us(pulls, lambda p: p.local_s), "user and system")


# --- a slow line ---

def came(cable):
    """Bytes that came over the cable to the centre, with all that packets have around them."""
    with cable.at("centre"):
        shown = subprocess.run(["ip", "-s", "-o", "link", "show", "cable"], check=True, capture_output=True, text=True).stdout
    return int(re.search(r"RX:.*?\\\s+(\d+)", shown)[1])


def slow(site, cable, table):
    secret = lab.private_file(site.path / "secret", secrets.token_urlsafe(32))
    near = site.local("far")
    generate(near, FAR_RECORDS)
    far = Away(cable, site.path, "far", 7101, ["--token-file", site.path / "far.token", "--app-token-file", secret, "--allow-plain-http"])
    site.programs.append(far)
    options = ["--secret-file", secret, "--allow-network", "10.77.0.0/24", "--allow-plain-http"]
    with cable.at("site"):
        subprocess.run(["tc", "qdisc", "add", "dev", "cable", "root", "tbf", "rate", LINE, "burst", "64kb", "latency", "400ms"], check=True)
    with cable.at("centre"), lab.authorised(lambda url: secret):
        far.url = f"http://{ADDRESS['site']}:{far.port}"
        known = site.centre("known", [], options)
        known.start()
        lab.private_file(site.path / "far.token", known.get("/v1/nodes").status == 200 and known.post(
            "/v1/nodes", {"name": "far", "url": far.url}).json["token"])
        known.stop()
        far.start()
        times, packed = [], []
        for i in range(table.rounds):
            plain = Pull(site, f"plain{i}", [far], [*options, "--compress", "never"])
            before = came(cable)
            ours = Pull(site, f"ours{i}", [far], options)
            packed.append((came(cable) - before) / ours.records)
            times.append(plain.s / ours.s)
    table.add("wire, on the cable", "B/record", packed, f"with all that packets and heads add, {ours.records:,} records")
    table.add(f"wire, at {LINE}", "times", times, "how fast by default, against as it is")


def run(names, directory, options, table):
    site = Site(pathlib.Path(directory) / "wire", options.records or RECORDS, NODES)
    cable = None
    try:
        for l in site.locals:
            generate(l, site.each)
            l.start()
        loopback(site, table)
        try:
            cable = Cable()
        except (Refused, OSError) as why:
            print(f"wire: no slow line, as there are no network namespaces here: {why}")
        if cable:
            slow(site, cable, table)
    finally:
        site.kill()
        if cable:
            cable.close()
