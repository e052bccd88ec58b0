#!/usr/bin/python3
"""How fast Tidemark is, against what others take for the same work on the same machine in the same minutes.

Machines differ and are noisy: believe the ratios.  Both sides of one are measured in turns, in each round; min, median and max are
shown, and whether the median meets its goal.  `make bench`, or
tests/bench/bench.py [--records N] [--rounds N] [--keep DIR] [--json FILE] [NAME...]
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

from ground import Table, machine
import bench_growth
import bench_ingest
import bench_nodes
import bench_peers
import bench_postgres
import bench_quarantine
import bench_reading
import bench_refill
import bench_sqlite
import bench_steady
import bench_wire

MODULES = (bench_sqlite, bench_ingest, bench_refill, bench_quarantine, bench_postgres, bench_peers, bench_nodes, bench_wire, bench_steady, bench_reading, bench_growth)
NAMES = [name for m in MODULES for name in m.BENCHES]


def number(name):
    return int(os.environ[name]) if os.environ.get(name) else None


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter,
                                epilog="\n".join(m.__doc__ for m in MODULES))
    p.add_argument("names", nargs="*", metavar="NAME", help="of " + " ".join(NAMES) + "; all when none is given")
    p.add_argument("--records", type=int, default=number("BENCH_RECORDS"), help="instead of what each is about")
    p.add_argument("--rounds", type=int, default=number("BENCH_ROUNDS") or 5)
    p.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite", help="the centre's, of refill")
    p.add_argument("--keep", metavar="DIR", help="fill the locals there, and find them there the next time")
    p.add_argument("--json", metavar="FILE", default=os.environ.get("BENCH_JSON"),
                   help="write the rows there too, and what machine it was; $BENCH_JSON")
    p.add_argument("--strict", action="store_true", help="exit 1 where a goal is not met")
    a = p.parse_args()
    unknown = set(a.names) - set(NAMES)
    if unknown:
        p.error(f"no such benchmark: {' '.join(sorted(unknown))}")
    a.names = a.names or NAMES
    return a


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and what was started is ended
    directory = pathlib.Path(a.keep or tempfile.mkdtemp(prefix="tidemark-bench."))
    table = Table(a.rounds)
    try:
        table.head()
        for m in MODULES:
            names = [n for n in m.BENCHES if n in a.names]
            if names:
                m.run(names, directory, a, table)
    finally:
        if not a.keep:
            shutil.rmtree(directory)
        if a.json:  # also of what was measured before something failed
            pathlib.Path(a.json).write_text(json.dumps({"machine": machine(), "rows": table.rows}, indent=1) + "\n")
    table.sums()
    return int(a.strict and not all(r.get("met", True) for r in table.rows))


if __name__ == "__main__":
    sys.exit(main())
