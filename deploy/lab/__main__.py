"""The lab beside Tidemark: a centre and nodes on this machine, and what may befall them.  deploy/demo starts it."""
import argparse
import os
import pathlib
import signal
import sys

import ask
import capture
import laboratory
import narrator
import prompt
import story

TOP = pathlib.Path(__file__).resolve().parents[2]


def options(argv):
    p = argparse.ArgumentParser(prog="deploy/demo", description="The lab: a centre and nodes on loopback, in a directory of their own.")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--story", action="store_true", help="play the lab story; exit status 0 only if every check held")
    what.add_argument("--lab", action="store_true", help="a prompt: stop, kill, wipe, cut ... by hand")
    p.add_argument("--chapter", action="append", choices=list(story.CHAPTERS), default=[], metavar="NAME",
                   help=f"only this one, and what begins and ends the story (may be repeated): {', '.join(story.CHAPTERS)}")
    p.add_argument("--nodes", type=int, default=3, metavar="N", help="so many nodes (3, and at least that)")
    p.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    p.add_argument("--fast", action="store_true", help="without pauses, as without a terminal")
    p.add_argument("--capture", metavar="FILE.pcap", help="what goes over the links, for Wireshark; needs tshark")
    p.add_argument("--keep", action="store_true", help="leave the directory with databases and logs")
    p.add_argument("--bin", type=pathlib.Path, default=TOP / "build" / "release", help=argparse.SUPPRESS)
    o = p.parse_args(argv)
    if o.nodes < 3:
        p.error("--nodes: the lab has at least 3")
    return o


def banner(lab):
    print(f"LAB  a centre and {len(lab.nodes)} nodes, started by this program, in {lab.directory}")
    print(f"     The dashboard: {lab.centre.url}/")
    print(f"     Ask it from another terminal: {lab.bin}/tidemark --central {lab.centre.url} nodes", flush=True)


def play(lab, tell, chapters):
    """0 when every check held."""
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


def work(lab, o):
    pace = 1.0 if sys.stdout.isatty() and not o.fast else 0.0
    banner(lab)
    if o.lab:
        print("     help lists the commands; Tab completes; quit ends everything", flush=True)
        return prompt.Prompt(lab, pace).run()
    return play(lab, narrator.Narrator(sys.stdout, pace), o.chapter)


def main(argv):
    o = options(argv)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda number, _: sys.exit(128 + number))
    try:
        if o.capture:
            capture.must_be_possible(o.capture)
        with laboratory.Lab(o.bin, o.nodes, o.store, o.keep) as lab:
            if o.capture:
                lab.capture(o.capture)
            return work(lab, o)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ask.Failed as e:
        print(f"lab: {e}", file=sys.stderr)
        return 6 if isinstance(e, capture.Refused) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
