"""`--watch`: what a person sees who keeps looking, and what a program gets."""
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time

import lab


class Screen:
    """What one command does to a terminal of this size."""

    def __init__(self, centre, *args, rows=24, columns=80):
        self.terminal, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([lab.BIN / "tidemark", "--central", centre.url, *args], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.got = ""

    def sees(self, pattern, seconds=20):
        """All it got up to this, which is not looked at again."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.got, re.S)):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.terminal], [], [], left)[0], f"no {pattern} in {self.got!r}"
            self.got += os.read(self.terminal, 65536).decode().replace("\r\n", "\n")
        before, self.got = self.got[:found.end()], self.got[found.end():]
        return before

    def ends(self, number=signal.SIGINT):
        """Its status, and all it got."""
        self.process.send_signal(number)
        try:
            while chunk := os.read(self.terminal, 65536):
                self.got += chunk.decode().replace("\r\n", "\n")
        except OSError:
            pass  # the other end is closed
        os.close(self.terminal)
        return self.process.wait(10), self.got


def test_a_picture_is_drawn_in_place_and_goes_on_whatever_the_centre_does(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync()
    screen = Screen(centre, "nodes", "--watch")
    first = screen.sees(r"\x1b\[J")
    assert first.startswith("\x1b[?1049h\x1b[?25l\x1b[H") and "Ctrl-C ends" in first and "a     in_sync" in first
    assert max(len(re.sub(r"\x1b\[\S*?[a-zA-Z]", "", line)) for line in first.split("\n")) == 80  # the row of a is cut
    centre.tool("node", "pause", "a")
    screen.sees(r"\x1b\[H.*a     paused.*\x1b\[J")
    centre.kill()
    lost = screen.sees(r"\x1b\[H[^\n]*connection refused.*\x1b\[J")
    assert "a     paused" in lost[lost.rindex("connection refused"):]  # the last that was known
    centre.start()
    centre.tool("node", "resume", "a")
    screen.sees(r"\x1b\[H[^\n]*Ctrl-C ends.*a     in_sync.*\x1b\[J")
    status, got = screen.ends()
    # what was there before is there again, and the last picture behind it
    assert status == 0 and re.search(r"\x1b\[\?25h\x1b\[\?1049lNODE .*\na     in_sync [^\x1b]*\n$", got, re.S), got


def test_more_nodes_than_a_screen_has_room_for_are_counted(site):
    centre = site.centre(options=[a for i in range(30) for a in ("--node", f"n{i:02}=http://127.0.0.1:9/{i}")])
    screen = Screen(centre, "nodes", "--watch", rows=10)
    picture = screen.sees(r"\x1b\[J")
    assert "… 25 more, for which there is no room" in picture and picture.count("\n") == 9
    assert screen.ends(signal.SIGTERM)[0] == 0
    screen = Screen(centre, "status", "--watch")
    assert "30, 0 in sync" in screen.sees(r"\x1b\[J")
    assert screen.ends()[0] == 0


def test_a_program_gets_one_picture_after_the_other(site):
    centre = site.centre(site.local("a"))
    centre.in_sync()
    for args, count in ((["status"], lambda got: got.count("centre     tidemark-central")),
                        (["--json", "nodes"], lambda got: sum(len(json.loads(line)["nodes"]) for line in got.splitlines()))):
        with subprocess.Popen([lab.BIN / "tidemark", "--central", centre.url, *args, "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            got = p.stdout.read1().decode()
            while count(got) < 2 or not got.endswith("\n"):
                got += p.stdout.read1().decode()
            p.send_signal(signal.SIGINT)
            assert p.wait(10) == 0 and "\x1b" not in got and not p.stderr.read()
    # one whose reader goes ends, too
    r = subprocess.run(["sh", "-c", '"$0" --central "$1" nodes --watch | head -n 1', lab.BIN / "tidemark", centre.url],
                       capture_output=True, text=True, timeout=20)
    assert r.stdout.startswith("NODE") and not r.stderr


def test_what_cannot_be_watched_is_refused(site):
    centre = site.centre(site.local("a"))
    for args in (["status", "--check"], ["records"], ["node", "pause", "a"], ["pull", "a"]):
        r = centre.tool(*args, "--watch", check=False)
        assert r.returncode == 2 and re.search("--watch(, which)? is for status, nodes, node", r.stderr), (args, r)
    assert centre.node("a")["state"] != "paused"
    centre.kill()
    screen = Screen(centre, "nodes", "--watch")
    assert "\x1b" not in screen.sees("asks another\n") and screen.process.wait(10) == 3
    screen.ends()
    assert centre.tool("status", "--watch", check=False).returncode == 3
