"""What systemd is to a program: a unit's file read, its command started under a notify socket with its watchdog's time."""
import os
import pathlib
import re
import shlex
import socket
import time

import lab

UNITS = lab.TOP / "deploy" / "systemd"


class Supervisor:
    """A notify socket in a directory, or an abstract one; keeps every datagram with its time."""

    def __init__(self, directory, abstract=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(pathlib.Path(directory) / "notify")
        self.name = "@" + path if abstract else path
        self.socket.bind("\0" + path if abstract else path)
        self.socket.setblocking(False)
        self.heard = []  # (monotonic, {NAME: value})

    def environment(self, watchdog_s=None):
        env = {"NOTIFY_SOCKET": self.name}
        if watchdog_s:
            env["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        return env

    def listen(self):
        while True:
            try:
                text = self.socket.recv(8192).decode()
            except BlockingIOError:
                return self.heard
            self.heard.append((time.monotonic(), dict(line.split("=", 1) for line in text.split("\n") if line)))

    def all(self, name):
        return [x[name] for _, x in self.listen() if name in x]

    def count(self, name):
        return len(self.all(name))

    def wait(self, name, value=None, seconds=20.0, past=0):
        """Until NAME came, with a value that the pattern fits, after the first `past` of its kind."""
        def holds():
            found = [v for v in self.all(name)[past:] if value is None or re.search(value, v)]
            return found[-1] if found else None
        return lab.wait_until(f"{name} {value or ''}; heard {self.heard[-5:]}", holds, seconds)

    def close(self):
        self.socket.close()


def unit(name):
    """{section: {key: [values]}} of a unit's file."""
    sections, section = {}, None
    text = re.sub(r"\\\n\s*", " ", (UNITS / name).read_text())
    for line in text.splitlines():
        if m := re.fullmatch(r"\[(\w+)\]", line):
            section = sections.setdefault(m[1], {})
        elif line and line[0] not in "#;":
            key, value = line.split("=", 1)
            section.setdefault(key, []).append(value)
    return sections


def seconds(text):
    """A time span as systemd writes it."""
    units = {"": 1, "s": 1, "min": 60, "h": 3600}
    return sum(float(n) * units[u] for n, u in re.findall(r"([\d.]+)\s*([a-z]*)", text))


class Unit(lab.Program):
    """A service as its unit says, with the directories of the machine replaced by ones below `root`."""

    def __init__(self, root, file, instance="", credentials=None, config="", supervisor=None):
        root = pathlib.Path(root)
        super().__init__(root, file.split(".")[0].replace("@", "-" + instance))
        self.unit = unit(file)
        service = self.unit["Service"]
        self.state = root / "state" / service["StateDirectory"][0].replace("%i", instance)
        self.credentials = root / "credentials"
        self.etc = root / "etc"
        for d in (self.state, self.credentials, self.etc / "tidemark"):
            d.mkdir(parents=True, exist_ok=True)
        for line in service.get("SetCredential", []):
            name, value = line.split(":", 1)
            (self.credentials / name).write_text(value.replace("\\n", "\n"))
            (self.credentials / name).chmod(0o400)
        for name, value in (credentials or {}).items():
            (self.credentials / name).unlink(missing_ok=True)
            (self.credentials / name).write_text(value)
            (self.credentials / name).chmod(0o400)
        specifiers = {"%i": instance, "%d": str(self.credentials), "%S": str(root / "state"), "%E": str(self.etc)}
        self.fill = lambda text: re.sub("%.", lambda m: specifiers[m[0]], text).replace("/etc/", f"{self.etc}/")
        self.config = self.etc / "tidemark" / f"{instance or 'central'}.conf"
        self.config.write_text(config)
        self.supervisor = supervisor
        self.watchdog_s = seconds(service["WatchdogSec"][0])

    def argv(self):
        program, *rest = shlex.split(self.fill(self.unit["Service"]["ExecStart"][0]))
        return [lab.BIN / pathlib.Path(program).name, *rest]

    @property
    def environment(self):
        service = self.unit["Service"]
        env = {k: self.fill(v) for line in service.get("Environment", []) for k, v in [line.split("=", 1)]}
        return {**env, "CREDENTIALS_DIRECTORY": str(self.credentials), "STATE_DIRECTORY": str(self.state),
                **(self.supervisor.environment(self.watchdog_s) if self.supervisor else {})}

    def spawn(self):
        """In its working directory, as systemd does."""
        here = os.getcwd()
        os.chdir(self.fill(self.unit["Service"].get("WorkingDirectory", ["/"])[0]))
        try:
            return super().spawn()
        finally:
            os.chdir(here)
