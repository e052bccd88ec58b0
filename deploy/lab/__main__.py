"""The lab beside Tidemark: a centre and nodes on this machine, and what may befall them.  deploy/demo starts it."""
import argparse
import os
import pathlib
import signal
import sys

import ask
import laboratory
import narrator
import story

TOP = pathlib.Path(__file__).resolve().parents[2]


def options(argv):
    p = argparse.ArgumentParser(prog="deploy/demo", description="The lab: a centre and nodes on loopback, in a directory of their own.")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--story", action="store_true", help="play the lab story; exit status 0 only if every check held")
    p.add_argument("--chapter", action="append", choices=list(story.CHAPTERS), default=[], metavar="NAME",
                   help=f"only this one, and what begins and ends the story (may be repeated): {', '.join(story.CHAPTERS)}")
    p.add_argument("--nodes", type=int, default=3, metavar="N", help="so many nodes (3, and at least that)")
    p.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    p.add_argument("--fast", action="store_true", help="without pauses, as without a terminal")
    p.add_argument("--keep", action="store_true", help="leave the directory with databases and logs")
    p.add_argument("--bin", type=pathlib.Path, default=TOP / "build" / "release", help=argparse.SUPPRESS)
    o = p.parse_args(argv)
    if o.nodes < 3:
        p.error("--nodes: the lab has at least 3")
    return o


def play(lab, tell, chapters):
    """0 when every check held."""
    tell.say(f"LAB  a centre and {len(lab.nodes)} nodes, started by this program, in {lab.directory}")
    tell.say(f"     The dashboard: {lab.centre.url}/")
    tell.say(f"     Ask it from another terminal: {lab.bin}/tidemark --central {lab.centre.url} nodes")
    try:
        story.Story(lab, tell).play(chapters)
    except (narrator.Broken, ask.Failed) as e:
        tell.say()
        tell.say(f"The story ended early, after {tell.checks} checks that held: {e}")
        for program in [lab.centre, *lab.nodes.values()]:
            tell.show(f"{program.name}'s log ends:\n" + "\n".join(program.last_lines()))
        return 1
    tell.say()
    tell.say(f"All {tell.checks} checks held.")
    return 0


def main(argv):
    o = options(argv)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda number, _: sys.exit(128 + number))
    watched = sys.stdout.isatty() and not o.fast
    try:
        with laboratory.Lab(o.bin, o.nodes, o.store, o.keep) as lab:
            return play(lab, narrator.Narrator(sys.stdout, 1.0 if watched else 0.0), o.chapter)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ask.Failed as e:
        print(f"lab: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
