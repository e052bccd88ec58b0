"""What a centre with many nodes is tested against: a crowd of locals in one process, and nodes that do not answer."""
import json
import os
import pathlib
import socket
import subprocess

import lab

PROGRAM = lab.BIN / "tests" / "crowd" / "crowd"


class Node:
    """A name and a URL, as lab.Centre wants them."""

    def __init__(self, name, url):
        self.name, self.url = name, url


class Crowd:
    """tests/crowd: `members` locals with `records` of `body` bytes each, and what they see of the centre."""

    def __init__(self, members, body=20, records=0, prefix="n"):
        self.process = subprocess.Popen([PROGRAM, str(members), str(body), str(records), prefix], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ports = json.loads(self.process.stdout.readline())["ports"]
        self.nodes = [Node(f"{prefix}{i}", f"http://127.0.0.1:{port}") for i, port in enumerate(ports)]

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def rate(self, per_second):
        self.order(f"rate {per_second}")

    def mark(self):
        """What was seen since the last mark: polls; news, turns and gaps with n, p50, p99, max in ms."""
        self.order("mark")
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Refusing:
    """Ports that nobody listens on, and nobody else gets."""

    def __init__(self, n):
        self.sockets = [socket.socket() for _ in range(n)]
        for s in self.sockets:
            s.bind(("127.0.0.1", 0))
        self.nodes = [Node(f"refusing{i}", f"http://127.0.0.1:{s.getsockname()[1]}") for i, s in enumerate(self.sockets)]

    def close(self):
        for s in self.sockets:
            s.close()


class Silent(Refusing):
    """Connections are accepted (by the system), and nothing ever comes back."""

    def __init__(self, n):
        super().__init__(n)
        self.nodes = [Node(f"silent{i}", x.url) for i, x in enumerate(self.nodes)]
        for s in self.sockets:
            s.listen(128)


class SilentNames:
    """A name server of its own for one program: it takes every question and answers none."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self.socket, self.asked = None, directory / "resolv.conf"
        mounts = {directory / "nsswitch.conf": "/etc/nsswitch.conf"}
        (directory / "nsswitch.conf").write_text("hosts: files dns\n")
        if os.geteuid() == 0:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.53.53.53", 53))
            self.asked.write_text("nameserver 127.53.53.53\n")
            mounts[self.asked] = "/etc/resolv.conf"
        else:  # nobody else may have port 53: the table that is looked into before is a pipe without an end
            os.mkfifo(directory / "hosts")
            mounts[directory / "hosts"] = "/etc/hosts"
        self.command = " && ".join(f"mount --bind '{a}' {b}" for a, b in mounts.items())

    def wrap(self, argv):
        """The program in a mount namespace where these are the name servers; its pid is the one that is started."""
        return [*unshared(), "sh", "-c", self.command + ' && exec "$@"', "sh", *argv]

    def close(self):
        if self.socket:
            self.socket.close()


def unshared():
    """A mount namespace, also for those who are not root."""
    return ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
