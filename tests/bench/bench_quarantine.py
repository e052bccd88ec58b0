"""What a page costs that holds a record which the centre's database refuses, against one that holds none.

Two locals with as many records, in one of which each 5,000th, so one of each page, is refused by a constraint that somebody
added to the centre's table; the constraint is there for both.  Each is pulled by an empty centre, in turns, on both stores.
"""
import time

from ground import PAGE, Site, body, fill
import pg

RECORDS = 100000

POISON = "poison"
LITE = ("CREATE TRIGGER forbidden BEFORE INSERT ON records WHEN instr(NEW.body, '" + POISON + "') "
        "BEGIN SELECT RAISE(ABORT, 'forbidden'); END")
POSTGRES = f"ALTER TABLE tidemark_store.records ADD CONSTRAINT forbidden CHECK (position('{POISON}' IN body::text) = 0)"


def poisoned(i):
    return body(i) if i % PAGE != PAGE // 2 else {**body(i), "remark": POISON}


def constrained(centre, statement):
    """Its schema is there from its first start on."""
    nodes, centre.locals = centre.locals, []
    centre.start().stop()
    centre.locals = nodes
    centre.store.sql(statement)


def pulled(site, local, store, statement, number):
    """From the centre's start to the proof, in seconds."""
    centre = site.centre(f"centre{number}", [local], store=store)
    constrained(centre, statement)
    start = time.monotonic()
    centre.spawn()
    site.proven(centre, [local])
    took = time.monotonic() - start
    centre.stop()
    return took


BENCHES = ("quarantine",)


def run(_, directory, options, table):
    records = options.records or RECORDS
    site = Site(directory / "quarantine", 2 * records, nodes=2)
    server = None
    try:
        for local, of in zip(site.locals, (body, poisoned)):
            local.start()
            fill(local, records, of)
        server = pg.Cluster(site.path / "server", durable=True)
        for kind, statement in (("sqlite", LITE), ("postgres", POSTGRES)):
            ratios = []
            for i in range(table.rounds):
                took = {}
                for k in (0, 1) if i % 2 else (1, 0):
                    store = None if kind == "sqlite" else pg.Database(f"q{i}{k}", server.server)
                    took[k] = pulled(site, site.locals[k], store, statement, f"{kind}{i}{k}")
                    if store:
                        store.drop()
                ratios.append(took[1] / took[0])
            table.add(f"quarantine, {kind}", "times", ratios,
                      f"a pull of {records:,} with one refused record in {PAGE:,} against one without", at_most=3)
    finally:
        site.kill()
        if server:
            server.remove()
