"""What a page costs that holds a record which the centre's database refuses, against one that holds none.

Two locals with as many records, in one of which each 5,000th, so one of each page, is refused by a constraint that somebody
added to the centre's table; the constraint is there for both.  Each is pulled by an empty centre, in turns, on both stores.
"""
import sqlite3
import time

from ground import PAGE, POST, body
import lab
import pg

RECORDS = 100000

POISON = "poison"
LITE = ("CREATE TRIGGER forbidden BEFORE INSERT ON records WHEN instr(NEW.body, '" + POISON + "') "
        "BEGIN SELECT RAISE(ABORT, 'forbidden'); END")
POSTGRES = f"ALTER TABLE tidemark_store.records ADD CONSTRAINT forbidden CHECK (position('{POISON}' IN body::text) = 0)"


def fill(local, records, poisoned):
    def record(i):
        b = body(i)
        if poisoned and i % PAGE == PAGE // 2:
            b["remark"] = POISON
        return {"type": "reading", "body": b}

    for first in range(0, records, POST):
        local.write(*(record(i) for i in range(first, min(first + POST, records))))


def constrained(centre, statement):
    """Its schema is there from its first start on."""
    nodes, centre.locals = centre.locals, []
    centre.start().stop()
    centre.locals = nodes
    if centre.store.kind == "postgresql":
        centre.store.sql(statement)
        return
    db = sqlite3.connect(centre.store.path)
    db.execute(statement)
    db.commit()
    db.close()


def pulled(directory, local, store, statement, number):
    """From the centre's start to the proof, in seconds."""
    centre = lab.Centre(directory, [local], name=f"centre{number}", store=store)
    try:
        constrained(centre, statement)
        start = time.monotonic()
        centre.spawn()
        word = f"node={local.name} state=in_sync"
        lab.wait_until("in sync", lambda: word in centre.log_text(), 300)
        return time.monotonic() - start
    finally:
        if centre.process and centre.process.poll() is None:
            centre.stop()


BENCHES = ("quarantine",)


def run(_, directory, options, table):
    directory /= "quarantine"
    records = options.records or RECORDS
    directory.mkdir(parents=True)
    locals_ = {poisoned: lab.Local(directory, "poisoned" if poisoned else "clean") for poisoned in (False, True)}
    server = None
    try:
        for poisoned, local in locals_.items():
            local.start()
            fill(local, records, poisoned)
        server = pg.Cluster(directory / "server", durable=True)
        for kind, statement in (("sqlite", LITE), ("postgres", POSTGRES)):
            ratios = []
            for i in range(table.rounds):
                took = {}
                for poisoned in (False, True) if i % 2 else (True, False):
                    store = None if kind == "sqlite" else pg.Database(f"q{i}{int(poisoned)}", server.server)
                    took[poisoned] = pulled(directory, locals_[poisoned], store, statement, f"{kind}{i}{int(poisoned)}")
                    if store:
                        store.drop()
                ratios.append(took[True] / took[False])
            table.add(f"quarantine, {kind}", "times", ratios,
                      f"a pull of {records:,} with one refused record in {PAGE:,} against one without", at_most=3)
    finally:
        for local in locals_.values():
            if local.process and local.process.poll() is None:
                local.kill()
        if server:
            server.remove()
