"""The lab: a centre, some nodes, the links between them, in one temporary directory.  It ends what it started, and nothing else."""
import pathlib
import shutil
import signal
import tempfile

import ask
import books
import capture
import centre
import link
import node
import store


class Lab:
    """Used with `with`: everything runs inside, and is ended and removed after it."""

    def __init__(self, binaries, nodes=3, kind="sqlite", keep=False):
        self.bin, self.wanted, self.kind, self.keep = binaries, nodes, kind, keep
        self.books, self.nodes, self.parts = books.Books(), {}, []
        self.plays, self.directory, self.centre = 0, None, None

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-demo."))
        try:
            self.begin()
        except BaseException:
            self.close()
            raise
        return self

    def begin(self):
        board = link.Switchboard()
        self.parts.append(board)
        kept = store.KINDS[self.kind](self.directory)
        self.parts.append(kept)
        for n in range(1, self.wanted + 1):
            one = node.Node(f"site-{n}", self.directory, self.bin, board, self.books)
            self.nodes[one.name] = one
            self.parts.append(one)
            one.start()
        self.centre = centre.Centre(self.directory, self.bin, kept.url, self.nodes.values(), self.books)
        self.parts.append(self.centre)
        self.centre.start()

    def capture(self, path):
        """What goes over the links from now on."""
        self.parts.append(capture.Capture(path, [n.link.port for n in self.nodes.values()], self.directory))

    def __exit__(self, *_):
        self.close()

    def close(self):
        """The last started first; goes on where one resists, and where somebody is impatient."""
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)
        while self.parts:
            try:
                self.parts.pop().close()
            except (ask.Failed, OSError) as e:
                print(f"lab: {e}")
        if self.keep:
            print(f"Kept: {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def program(self, name):
        """A node or the centre, by its name."""
        if name == "centre":
            return self.centre
        return self.node(name)

    def node(self, name):
        """Also by its number alone."""
        found = self.nodes.get(name) or self.nodes.get(f"site-{name}")
        if not found:
            raise ask.Failed(f"no node is called {name}; there are {', '.join(self.nodes)}")
        return found

    def put_right(self):
        """Everything runs, every link is whole, every clock is right."""
        for n in self.nodes.values():
            n.link.heal()
            if n.skew_s:
                n.skew(0.0)
            elif not n.running:
                n.start()
        if not self.centre.running:
            self.centre.start()
