"""Two network namespaces with a cable between them: this process enters one or the other, and what it starts there stays.

They have no names: they are gone with the last process in them.  Needs root.
"""
import contextlib
import ctypes
import os
import subprocess

import lab

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
ADDRESS = {"centre": "10.77.0.1", "site": "10.77.0.2"}


class Refused(Exception):
    """No namespaces here, and why."""


def _call(what, *args):
    if getattr(_libc, what)(*args) != 0:
        raise Refused(f"{what}: {os.strerror(ctypes.get_errno())}")


def _ip(*args):
    r = subprocess.run(["ip", *args], capture_output=True, text=True, timeout=20)
    if r.returncode != 0:
        raise Refused(f"ip {' '.join(args)}: {r.stderr.strip()}")


def _open():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Cable:
    """`with cable.at("site"):` whatever is started or connected there is there; sockets stay where they were made."""

    def __init__(self):
        self.home = _open()
        self.ends = {}
        try:
            for name in ADDRESS:
                _call("unshare", CLONE_NEWNET)
                self.ends[name] = _open()
                _ip("link", "set", "lo", "up")
            _ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", f"/proc/{os.getpid()}/fd/{self.ends['centre']}")
            for name, address in ADDRESS.items():
                with self.at(name):
                    _ip("address", "add", address + "/24", "dev", "cable")
                    _ip("link", "set", "cable", "up")
            _call("setns", self.home, CLONE_NEWNET)
        except Exception:
            self.close()
            raise

    @contextlib.contextmanager
    def at(self, name):
        before = _open()
        try:
            _call("setns", self.ends[name], CLONE_NEWNET)
            yield
        finally:
            _call("setns", before, CLONE_NEWNET)
            os.close(before)

    def close(self):
        if self.ends:  # else it never left
            _call("setns", self.home, CLONE_NEWNET)
        for fd in (self.home, *self.ends.values()):
            os.close(fd)
        self.ends = {}


class Away(lab.Local):
    """A local at the site's end."""

    def __init__(self, cable, directory, name, port=0, options=()):
        super().__init__(directory, name, port, options)
        self.cable = cable

    def argv(self):
        return [f"{ADDRESS['site']}:{self.port}" if a == f"127.0.0.1:{self.port}" else a for a in super().argv()]

    def spawn(self):
        with self.cable.at("site"):
            return super().spawn()
