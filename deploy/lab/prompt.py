"""The lab by hand: a command a line, from a terminal or a pipe."""
import cmd
import json
import shlex
import sys

import ask
import checks
import narrator
import story

HELP = """\
  status              the centre's table of nodes, and what the lab did to each
  digests             the digest of each node, and the centre's of it
  events [COUNT]      what happened of late
  stop|start NAME     a node (site-1, or just 1) or the centre: SIGTERM; start it again
  kill NAME           kill -9
  save NODE           a copy of its database is put aside; it is stopped for that moment
  rollback NODE       kill -9, that copy in the place of its database, start
  wipe NODE           kill -9, its database deleted, start
  burst NODE COUNT    so many new records at the node
  write NODE [ID [TEXT]]   one record at the node
  edit NODE/ID [TEXT] one record at the centre; it is pushed to the node
  skew NODE SECONDS   start it with a clock that is so far ahead; 0: the right one
  slow NODE MS        its link takes so much longer there and back; 0: as before
  cut NODE            its cable is out: silence
  heal NODE           its link is whole and fast again
  story [CHAPTER]...  put everything right, and play the story, or these chapters of it
  quit                end everything and remove it; so do Ctrl-D, and Ctrl-C at the prompt
Every command of the tool works, too, after `tidemark`: tidemark why site-1"""


class Usage(Exception):
    """The command was given something else than it takes."""


def number(text, kind, least, most):
    try:
        value = kind(text)
    except ValueError:
        raise Usage(f"{text} is no number") from None
    if not least <= value <= most:
        raise Usage(f"{text}: from {least} to {most}")
    return value


class Prompt(cmd.Cmd):
    """run() reads commands until their end: 0, or 1 when one of them failed and nobody was there to see it."""

    def __init__(self, lab, pace):
        self.watched = sys.stdin.isatty()
        super().__init__()
        self.lab, self.pace, self.failed, self.written = lab, pace, False, 0
        self.prompt = "lab> " if self.watched else ""

    def run(self):
        try:
            self.cmdloop()
        except KeyboardInterrupt:
            print()
        return 1 if self.failed and not self.watched else 0

    def onecmd(self, line):
        """One that fails says why; those after it are run."""
        if line == "EOF":
            return True
        if line.strip() and not self.watched:
            print(f"lab> {line}")
        try:
            name, *words = shlex.split(line) or [""]
            if not name:
                return False
            if name not in COMMANDS:
                raise Usage(f"no command is called {name}; help lists them")
            call, least, most = COMMANDS[name]
            if not least <= len(words) <= most:
                raise Usage("it takes something else:\n" + "\n".join(x for x in HELP.splitlines() if name in x.split()[0].split("|")))
            return call(self, *words)
        except (Usage, ValueError, ask.Failed, OSError) as e:
            print(f"{line.split()[0]}: {e}")
            self.failed = True
        except KeyboardInterrupt:
            print("\ninterrupted")
        finally:
            sys.stdout.flush()
        return False

    # Completion: a command, then what it is about.

    def completenames(self, text, *_):
        return [n for n in COMMANDS if n.startswith(text)]

    def completedefault(self, text, line, *_):
        name = line.split()[0]
        nodes = list(self.lab.nodes)
        choices = {"story": list(story.CHAPTERS), **{n: [*nodes, "centre"] for n in ("stop", "start", "kill")},
                   **{n: [] for n in ("status", "digests", "events", "help", "quit")}}.get(name, nodes)
        return [c for c in choices if c.startswith(text)]

    # What is seen.

    def help(self):
        print(HELP)

    def status(self):
        for p in [self.lab.centre, *self.lab.nodes.values()]:
            print(f"{p.name:8}  " + (f"pid {p.pid}" if p.running else "down") + self.faults(p))
        if self.lab.centre.running:
            print(self.lab.centre.tool("nodes")[1])

    def faults(self, p):
        if p is self.lab.centre:
            return f"  {p.url}/" if p.running else ""
        faults = [f"clock {p.skew_s:+g} s"] if p.skew_s else []
        faults += ["link cut"] if p.link.cut_off else []
        faults += [f"link {p.link.delay_ms:g} ms slower"] if p.link.delay_ms else []
        return "".join(f", {f}" for f in faults)

    def digests(self):
        for n in self.lab.nodes.values():
            at_centre = self.lab.centre.node(n.name)
            if n.running:
                equal, seen = checks.proven_equal(at_centre, n.status())
                print(f"{n.name}  {'=' if equal else '✗'}  {seen}")
            else:
                print(f"{n.name}  ?  down; the centre holds {at_centre['records']} records of it")

    def events(self, count="10"):
        for e in self.lab.centre.get(f"/v1/events?limit={number(count, int, 1, 1000)}")["events"]:
            print(checks.line_of(e))

    def tidemark(self, *words):
        status, said = self.lab.centre.tool(*words)
        print(said)
        if status != 0:
            raise ask.Failed(f"exit status {status}")

    # What is done.

    def start(self, name):
        p = self.lab.program(name)
        p.start()
        print(f"{p.name} runs (pid {p.pid})")

    def stop(self, name):
        p = self.lab.program(name)
        p.stop()
        print(f"{p.name} has ended")

    def kill(self, name):
        p = self.lab.program(name)
        p.kill()
        print(f"{p.name} was killed")

    def save(self, name):
        n = self.lab.node(name)
        n.save()
        print(f"a copy of {n.name} was put aside")

    def rollback(self, name):
        n = self.lab.node(name)
        n.roll_back()
        print(f"{n.name} runs on its copy: its log ends at {n.status()['head_seq']}, the centre had read to {self.known(n)}")

    def known(self, node):
        return self.lab.centre.node(node.name)["cursor"] if self.lab.centre.running else "what it says when it runs"

    def wipe(self, name):
        n = self.lab.node(name)
        n.wipe()
        print(f"{n.name} runs on an empty database")

    def burst(self, name, count):
        n = self.lab.node(name)
        acknowledged = n.burst(number(count, int, 1, 1_000_000))
        print(f"{len(acknowledged)} records were written at {n.name}: its log ends at {acknowledged[-1]['seq']}")

    def write(self, name, id_=None, text="written at the node"):
        n = self.lab.node(name)
        self.written += 1
        id_ = id_ or f"by-hand-{self.written}"
        (a,) = n.write([{"id": id_, "body": json.dumps(text)}])
        print(f"{n.name}/{id_} was written at the node: position {a['seq']}")

    def edit(self, key, text="edited at the centre"):
        owner, slash, id_ = key.partition("/")
        if not slash or not id_:
            raise Usage(f"{key}: it is NODE/ID")
        n = self.lab.node(owner)
        self.lab.centre.put(n.name, id_, json.dumps(text))
        print(f"{n.name}/{id_} was edited at the centre")

    def skew(self, name, seconds):
        n = self.lab.node(name)
        n.skew(number(seconds, float, -1e9, 1e9))
        print(f"{n.name} runs with a clock that is {n.skew_s:+g} s off" if n.skew_s else f"{n.name} runs with the right clock")

    def slow(self, name, ms):
        n = self.lab.node(name)
        n.link.slow(number(ms, float, 0, 60_000))
        print(f"the link of {n.name} takes {n.link.delay_ms:g} ms longer there and back")

    def cut(self, name):
        n = self.lab.node(name)
        n.link.cut()
        print(f"the cable of {n.name} is out")

    def heal(self, name):
        n = self.lab.node(name)
        n.link.heal()
        print(f"the link of {n.name} is whole")

    def story(self, *chapters):
        for c in chapters:
            if c not in story.CHAPTERS:
                raise Usage(f"no chapter is called {c}; there are {', '.join(story.CHAPTERS)}")
        self.lab.put_right()
        tell = narrator.Narrator(sys.stdout, self.pace)
        try:
            story.Story(self.lab, tell).play(chapters)
        except narrator.Broken as e:
            raise ask.Failed(f"it ended early: {e}") from None
        print(f"\nAll {tell.checks} checks held.")

    def quit(self):
        return True


COMMANDS = {  # the method, and how many words it takes
    "help": (Prompt.help, 0, 0), "status": (Prompt.status, 0, 0), "digests": (Prompt.digests, 0, 0), "events": (Prompt.events, 0, 1),
    "tidemark": (Prompt.tidemark, 1, 20), "start": (Prompt.start, 1, 1), "stop": (Prompt.stop, 1, 1), "kill": (Prompt.kill, 1, 1),
    "save": (Prompt.save, 1, 1), "rollback": (Prompt.rollback, 1, 1), "wipe": (Prompt.wipe, 1, 1), "burst": (Prompt.burst, 2, 2),
    "write": (Prompt.write, 1, 3), "edit": (Prompt.edit, 1, 2), "skew": (Prompt.skew, 2, 2), "slow": (Prompt.slow, 2, 2),
    "cut": (Prompt.cut, 1, 1), "heal": (Prompt.heal, 1, 1), "story": (Prompt.story, 0, 9), "quit": (Prompt.quit, 0, 0),
}
