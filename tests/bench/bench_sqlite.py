"""The programs on SQLite at both ends, against what SQLite alone takes for the same rows; and what a person waits for.

    feed      a local's feed read to its end, against a bare cursor
    files     CSV in and out, at each door
    latency   from a write at a local until the centre shows it
    tls       a pull and a write by HTTPS at both ends, against plain HTTP
    idle      a hundred real locals with nothing to say
"""
import json
import subprocess
import time

from ground import BIN, PAGE, Site, cpu_s, peak_mib, remove, setup, tool
import lab
from authority import Authority

RECORDS = 400000

LOCAL_FIELDS = "seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error"
SELECT_LOCAL = f"SELECT {LOCAL_FIELDS} FROM records ORDER BY seq"
INSERT_LOCAL = f"INSERT INTO records ({LOCAL_FIELDS}) VALUES ({','.join('?' * 14)})"
SETUP_LOCAL = setup("sql/local/migrations/0001_init.sql", 1000)


def read_feed(local):
    """All of a local's feed into nowhere; the number of its pages."""
    after, pages = 0, 0
    epoch = local.status()["epoch"]
    while True:
        r = local.get(f"/v1/changes?centre={'0' * 31}1&request={'0' * 32}&protocol=1&epoch={epoch}&witness=0.{'0' * 32}"
                      f"&after={after}&limit=5000&max_bytes={16 << 20}")
        assert r.status == 200, r.body
        end = json.loads(r.body[r.body.rindex(b"\n", 0, -1):])
        after, pages = end["to_seq"], pages + 1
        if not end["more"]:
            return pages


def feed(site, table):
    rate, ratio = [], []
    passes = max(1, 400000 // site.each)
    for _ in range(table.rounds):
        local = site.locals[0]
        floor = tool("floor", "read", SELECT_LOCAL, *([local.db] * passes))
        before, start = cpu_s(local), time.monotonic()
        for _ in range(passes):
            read_feed(local)
        rate.append(site.each * passes / (time.monotonic() - start))
        ratio.append((cpu_s(local) - before) / floor["cpu_s"])
    table.add("feed", "records/s", rate, "one local's feed read to its end by one client that throws it away", at_least=1000000)
    table.add("feed / read, CPU", "times", ratio, "the local's CPU against a bare cursor over the same rows", at_most=2.5)


def write_csv(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        f.write("sku,name,price,stock,note\n")
        for i in range(rows):
            f.write(f'{i},"Rohr {i % 97}, 1/2""",{i * 7919 % 100000 / 100},{i % 1000},{"as measured" if i % 3 else ""}\n')


def carry(program, *args):
    """Seconds of an import or export, from its start to its end."""
    start = time.monotonic()
    subprocess.run([BIN / program, *map(str, args)], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def files(site, table):
    """Rows of CSV: into a local's database, into a running local, into the centre, each into an empty one; again; and back."""
    rates = {what: [] for what in ("into a database", "into a local", "into the centre", "again", "out of a local", "out of the centre")}
    ratio = []
    sheet, back = site.path / "sheet.csv", site.path / "back.csv"
    item = ("--type", "item", "--id-column", "sku")
    write_csv(sheet, site.each)

    def done(what, *args):
        wall = carry(*args)
        rates[what].append(site.each / wall)
        return wall

    for _ in range(table.rounds):
        local, filled = site.local("files"), site.local("filled")
        here = ("--node", local.name, "--db", local.db, *item)
        wall = done("into a database", "tidemark-local", "import", *here, sheet)
        floor_db = site.path / "floor.db"
        ratio.append(wall / tool("floor", "copy", floor_db, SETUP_LOCAL, INSERT_LOCAL, PAGE, SELECT_LOCAL, local.db)["wall_s"])
        remove(floor_db)
        local.wipe()
        done("into a local", "tidemark-local", "import", "--to", local.start().url, *item, sheet)
        done("again", "tidemark-local", "import", "--to", local.url, *item, sheet)
        done("out of a local", "tidemark-local", "export", "--from", local.url, *item, back)
        assert back.read_bytes() == sheet.read_bytes()
        centre = site.centre("files-centre", [filled.start()]).start()
        at = ("--central", centre.url, "--owner", filled.name, *item)
        done("into the centre", "tidemark", "import", *at, sheet)
        done("out of the centre", "tidemark", "export", *at, back)
        assert back.read_bytes() == sheet.read_bytes()
        for p in (centre, local, filled):
            p.stop()
        for p in (local, filled):
            p.wipe()
        remove(centre.store.path)
    for what, values in rates.items():
        table.add(f"CSV {what}", "rows/s", values, f"{site.each:,} rows" if what != "again" else "the same file once more: nothing is written")
    table.add("CSV / insert", "times", ratio, "the time into a database against a bare insert loop into its schema")


def latency(site, table):
    """From before a write at a local until the centre's API shows the record."""
    p50, p99 = [], []
    local = site.local("quick").start()
    centre = site.centre("quick-centre", [local], ["--poll-interval", "10s"]).start()
    site.proven(centre, [local])
    for round_ in range(table.rounds):
        times = []
        for i in range(100):
            start = time.monotonic()
            name = f"r{round_}-{i}"
            local.write({"id": name, "body": {"i": i}})
            while centre.get(f"/v1/records/quick/{name}").status != 200:
                pass
            times.append((time.monotonic() - start) * 1e3)
        times.sort()
        p50.append(times[len(times) // 2])
        p99.append(times[len(times) * 99 // 100])
    centre.stop()
    local.stop()
    table.add("write to visible, p50", "ms", p50, "long poll; the write, its answer and the question at the centre included", at_most=5)
    table.add("write to visible, p99", "ms", p99, "the same", at_most=50)


def tls(site, table):
    """A pull of everything, and a write until it is visible, by HTTPS at both ends against plain HTTP, one after the other."""
    ca = Authority(site.path).make("n=127.0.0.1", "--client", "centre=127.0.0.1")
    ways = {"plain": ([], []), "tls": ([*ca.files("n"), "--tls-client-ca", ca.ca],
                                       ["--tls-ca", ca.ca, *ca.files("centre"), *ca.shown("centre")])}
    pulls, cpu, p50 = ({w: [] for w in ways} for _ in range(3))
    for round_ in range(table.rounds):
        for way, (there, here) in ways.items():
            for l in site.locals:
                l.stop()
                l.options = there
                l.start()
            quick = site.local(f"quick-{way}{round_}", there).start()
            centre = site.centre(f"{way}{round_}", [*site.locals, quick], [*here, "--poll-interval", "10s"])
            before, start = sum(map(cpu_s, site.locals)), time.monotonic()
            centre.spawn()
            site.proven(centre, site.locals)
            pulls[way].append(time.monotonic() - start)
            cpu[way].append((cpu_s(centre) + sum(map(cpu_s, site.locals)) - before) / site.records * 1e6)
            centre.listens()
            p50[way].append(write_to_visible(centre, quick))
            centre.stop()
            quick.stop()
            remove(centre.store.path)
    for l in site.locals:
        l.stop()
        l.options = []
        l.start()
    for name, by, what in (("pull by TLS", pulls, "until proven equal"), ("its CPU", cpu, "of both ends"),
                           ("write to visible by TLS", p50, "p50 of 200, on connections that stay open")):
        table.add(name, "x", [t / p for t, p in zip(by["tls"], by["plain"])], f"{what}; of that by plain HTTP in the same round")
    table.add("the same, plain", "ms", p50["plain"], "p50")
    table.add("the same, TLS", "ms", p50["tls"], "p50")


def write_to_visible(centre, local):
    """The median, in ms; by connections that are kept."""
    times = []
    with lab.kept(local.url) as there, lab.kept(centre.url) as here:
        for i in range(200):
            start = time.monotonic()
            assert there("POST", "/v1/records", json.dumps({"id": f"r{i}", "type": "t", "body": i}))[0] == 201
            while here("GET", f"/v1/records/{local.name}/r{i}")[0] != 200:
                pass
            times.append((time.monotonic() - start) * 1e3)
    return sorted(times)[len(times) // 2]


def idle(site, table):
    """A hundred real locals with nothing to say."""
    locals_ = [site.local(f"idle{i}") for i in range(100)]
    for l in locals_:
        l.spawn()
    for l in locals_:
        l.listens()
    centre = site.centre("idle-centre", locals_, ["--poll-interval", "10s"]).start()
    site.proven(centre, locals_)
    used = []
    for _ in range(table.rounds):
        before, start = cpu_s(centre), time.monotonic()
        time.sleep(3)
        used.append((cpu_s(centre) - before) / (time.monotonic() - start) * 100)
    peak = peak_mib(centre)
    for p in [centre, *locals_]:
        p.stop()
    table.add("idle, centre CPU", "% of a core", used, "100 locals in step, parked polls of 10 s")
    table.add("idle, centre's peak", "MiB", [peak], "resident, with 100 locals")


BENCHES = {f.__name__: f for f in (feed, files, latency, tls, idle)}


def run(names, directory, options, table):
    site = Site(directory / "sqlite", options.records or RECORDS)
    try:
        site.fill()
        for name in names:
            BENCHES[name](site, table)
    finally:
        site.kill()
