"""A guide's commands, run as they stand, but for where things lie, at which URLs, and who starts the programs."""
import contextlib
import os
import random
import re
import shlex
import signal
import socket
import subprocess

import lab
import supervise

FENCE = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```$", re.M | re.S)


class Guide:
    """A document of deploy/guide: the blocks of shell in it, in their order, and what it says that they print."""

    def __init__(self, name):
        self.text = (lab.TOP / "deploy" / "guide" / name).read_text()
        fences = FENCE.findall(self.text)
        self.blocks = {name: text for kind, name, text in fences if kind == "sh"}
        self.shown = {name: text for kind, name, text in fences if kind == "text"}
        assert len(self.blocks) == len([1 for kind, _, _ in fences if kind == "sh"]), "two blocks of one name"
        assert set(self.shown) <= set(self.blocks), "an output without its commands"


def expect(shown, said):
    """Each line shown is in what was said, in that order; "…" is anything, blanks are any number of them."""
    at = 0
    for line in shown.splitlines():
        words = re.escape(line.strip()).replace("…", ".*")
        m = re.compile(r"^.*" + re.sub(r"(\\ )+", r"\\s+", words) + r".*$", re.M).search(said, at)
        assert m, f"not printed: {line}\nbut:\n{said}"
        at = m.end()


SYSTEMCTL = r"""#!/bin/sh
# What systemd would do: start returns when the program says that it listens, stop when it has ended.
cd "$STATE" || exit 1
case $1 in
enable) # --now
	shift 2 && exec "$0" start "$@" ;;
restart)
	"$0" stop "$2" && exec "$0" start "$2" ;;
stop)
	kill "$(cat "$2.pid")" && tail --pid="$(cat "$2.pid")" -s 0.02 -f /dev/null && rm "$2.pid" ;;
start)
	: >"$2.log"
	env -u TIDEMARK_CENTRAL -u TIDEMARK_TOKEN_FILE setsid sh "$STATE/$2.command" </dev/null >>"$2.log" 2>&1 &
	echo $! >"$2.pid"
	for _ in $(seq 400); do
		! grep -q ' listening ' "$2.log" || exit 0
		kill -0 "$(cat "$2.pid")" || break
		sleep 0.05
	done
	cat "$2.log" >&2
	exit 1 ;;
esac
"""


def free_port():
    """Of those that the system gives to nobody who asks for any: it is to be free until it is needed."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.randrange(20000, 32768)))
            return s.getsockname()[1]


class Machine:
    """The directories that the guides name elsewhere, and a systemctl of its own that starts what the units say."""

    def __init__(self, top):
        self.top, self.cwd = top, "/"
        self.lib, self.backups, self.etc, self.state, self.bin = (top / d for d in ("lib", "backups", "etc", "state", "bin"))
        for d in (self.lib, self.backups, self.etc, self.state, self.bin, self.backups / "wal"):
            d.mkdir()
        # What the guides say, and what it is here.
        self.places = {"/var/lib/": f"{self.lib}/", "/var/backups/tidemark": self.backups, "/etc/tidemark": self.etc}
        (self.bin / "systemctl").write_text(SYSTEMCTL)
        (self.bin / "systemctl").chmod(0o755)
        self.env = {**os.environ, "STATE": str(self.state), "PATH": f"{self.bin}:{lab.BIN}:{os.environ['PATH']}"}

    def unit(self, name, *options):
        """The command of a unit of deploy/systemd, with its working directory and the credentials that are there; more options behind it."""
        file, _, instance = name.partition("@")
        service = supervise.unit(f"{file}{'@' if instance else ''}.service")["Service"]

        def fill(text):
            for of, to in {"%i": instance, "%S": self.lib, "/usr/bin": lab.BIN, "/etc/tidemark": self.etc}.items():
                text = text.replace(of, str(to))
            return text

        home, credentials = (self.lib / fill(service["StateDirectory"][0]), self.state / f"{name}.credentials")
        lines = [f"mkdir -p {home} {credentials}", f"cd {home}", f"export CREDENTIALS_DIRECTORY={credentials}"]
        for line in service["LoadCredential"]:
            of, _, path = fill(line).partition(":")
            lines.append(f"install -m 400 {path} {credentials}/{of} 2>/dev/null || install -m 400 /dev/null {credentials}/{of}")
        command = f"exec {fill(service['ExecStart'][0])} {shlex.join(map(str, options))}"
        (self.state / f"{name}.command").write_text("\n".join([*lines, command]))
        return home

    def service(self, name, *options):
        """A unit that runs, without a file of settings; where its data are."""
        config = self.etc / f"{name.partition('@')[2] or 'central'}.conf"
        config.touch()
        home = self.unit(name, *options)
        self.sh(f"systemctl start {name}")
        return home

    def here(self, text):
        for there, place in self.places.items():
            text = text.replace(there, str(place))
        return text

    def sh(self, script, owner=None, flags="-eux", **env):
        """What it printed."""
        script = self.here(script)
        argv = ["sh", flags, "-c", script]
        if owner and os.geteuid() == 0:
            argv = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--init-groups", *argv]
        with open(self.state / "said", "w+b") as said:  # a server that stays would hold a pipe open
            r = subprocess.run(argv, env={**self.env, **env}, cwd=self.cwd, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               timeout=120)
            said.seek(0)
            text = said.read().decode()
        assert r.returncode == 0, f"{script}\n{text}"
        return text

    def follow(self, guide, name, **kw):
        """Runs a block, which is to print what the guide shows."""
        said = self.sh(guide.blocks[name], flags="-eu", **kw)
        expect(self.here(guide.shown.get(name, "")), said)
        return said

    def ends(self, store):
        """A local shop-1 and the centre, as services."""
        self.local_port, self.central_port = free_port(), free_port()
        here = self.service("tidemark-local@shop-1", "--listen", f"127.0.0.1:{self.local_port}")
        local = lab.Local(here, "shop-1", port=self.local_port)
        local.url, url = (f"http://127.0.0.1:{p}" for p in (self.local_port, self.central_port))
        there = self.service("tidemark-central", "--listen", f"127.0.0.1:{self.central_port}", "--poll-interval", "500ms",
                             "--node", f"shop-1={local.url}", *(["--store", store] if store else []))
        centre = lab.Centre(there, [local], port=self.central_port, name="tidemark-central")
        centre.url = self.env["TIDEMARK_CENTRAL"] = url
        return local, centre

    def end(self):
        for f in self.state.glob("*.pid"):
            try:
                os.kill(int(f.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass
