"""Hostile clients, in a process of their own so that they take no time from the test's honest one.

siege.py [--from ADDRESS] URL KIND=COUNT…  keeps COUNT connections of each kind open, and opens those again that the server ends, until
its standard input ends.  Then it prints what it did, as JSON.  `flood=N`: N threads that connect as fast as they can.
"""
import os
import contextlib
import json
import pathlib
import random
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import urllib.parse

NO_PORT_YET = 24  # IP_BIND_ADDRESS_NO_PORT: the port is chosen when the other end is known
LARGE = 8 * 1024 * 1024
HEAD = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"

# What is said at once, then byte by byte; None: nothing more.
KINDS = {
    "silent": ("", None),
    "line": ("G", "ET /healthzzzzzzzzzzzzzzzzzz"),
    "head": (HEAD + "X-", "x"),
    "body": ("POST /v1/records HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", "x"),
    "large": (f"POST /v1/records HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGE}\r\n\r\n", " "),
    "reader": ("GET /v1/records?{query}limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20, None),
    "tls": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00"),
    "parked": ("GET {parked} HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
}


class Besieger(threading.Thread):
    """Holds connections of one kind; drips a byte of each twice a second."""

    def __init__(self, siege, kind, count):
        super().__init__(daemon=True)
        self.siege, self.count = siege, count
        first, drops = KINDS[kind]
        for name, text in siege.words.items():
            first = first.replace("{" + name + "}", text)
        self.first, self.drops = first.encode("latin-1"), drops.encode("latin-1") if drops else None
        self.opened = self.ended = self.answered = 0

    def connect(self):
        s = self.siege.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(self.siege.to)
        s.setblocking(False)
        with contextlib.suppress(OSError):
            s.send(self.first)
        self.opened += 1
        return s

    def lives(self, s, turn):
        try:
            if self.first and self.drops is None:  # a reader that does not read, or one that waits: is it gone?
                return not select.select([], [], [s], 0)[2] and s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            if self.drops:
                s.send(self.drops[turn % len(self.drops):][:1])
            while got := s.recv(4096):
                self.answered += got.startswith(b"HTTP/1.1 ")
            return False
        except BlockingIOError:
            return True
        except OSError:
            return False

    def run(self):
        held, turn = [], 0
        while not self.siege.over.is_set():
            for s in [s for s in held if not self.lives(s, turn)]:
                held.remove(s)
                s.close()
                self.ended += 1
            while len(held) < self.count and not self.siege.over.is_set():
                try:
                    held.append(self.connect())
                except OSError:
                    break
            turn += 1
            self.siege.over.wait(0.5)
        for s in held:
            s.close()


class Flood(threading.Thread):
    """Connects as fast as it can: hangs up at once, or leaves half a request lying."""

    def __init__(self, siege, seed):
        super().__init__(daemon=True)
        self.siege, self.chance = siege, random.Random(seed)
        self.opened = self.failed = 0

    def run(self):
        held = []
        while not self.siege.over.is_set():
            s = self.siege.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # else it would soon be out of ports
            try:
                s.connect(self.siege.to)
                self.opened += 1
                what = self.chance.randrange(4)
                if what > 0:
                    s.send((b"GET /heal", HEAD.encode(), HEAD.encode() + b"\r\n")[what - 1])
            except OSError:
                self.failed += 1
            held.append(s)
            if len(held) > 50:
                held.pop(0).close()


class Siege:
    def __init__(self, url, address, words):
        parts = urllib.parse.urlsplit(url)
        self.to, self.address, self.words, self.over = (parts.hostname, parts.port), address, words, threading.Event()

    def socket(self):
        s = socket.socket()
        s.settimeout(5)
        s.setsockopt(socket.IPPROTO_IP, NO_PORT_YET, 1)
        s.bind((self.address, 0))
        return s

    def run(self, plan):
        threads = {}
        for kind, count in plan.items():
            threads[kind] = [Flood(self, i) for i in range(count)] if kind == "flood" else [Besieger(self, kind, count)]
        for t in sum(threads.values(), []):
            t.start()
        sys.stdin.read()
        self.over.set()
        for t in sum(threads.values(), []):
            t.join(10)
        print(json.dumps({k: {n: sum(getattr(t, n, 0) for t in ts) for n in ("opened", "ended", "answered", "failed")} for k, ts in threads.items()}))


@contextlib.contextmanager
def against(program, plan, address="127.0.0.1", **words):
    """While it lasts the program is besieged; what it yields is then filled with what the besiegers did."""
    told = {}
    argv = [sys.executable, str(pathlib.Path(__file__)), program.url, address, json.dumps(words), *(f"{k}={n}" for k, n in plan.items())]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        try:
            yield told
        finally:
            told.update(json.loads(p.communicate(timeout=60)[0]))


def main(url, address, words, *plan):
    os.nice(10)  # real ones have machines of their own, and take none of the time of these processors
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Siege(url, address, json.loads(words)).run({k: int(n) for k, n in (p.split("=") for p in plan)})


if __name__ == "__main__":
    main(*sys.argv[1:])
