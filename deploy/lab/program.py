"""A program that the lab starts and ends: its log, its URL, its process.

It ends with the lab, however that ends (PDEATHSIG), and takes no part in the terminal's Ctrl-C: the lab ends it, in its turn.
The kernel looks at the thread that started it, so start() is for the lab's main thread alone.
"""
import os
import re
import signal
import subprocess

import ask

PATIENCE = 15.0  # s, until it listens
GRACE = 6.0      # s, until it ends


class Program:
    def __init__(self, name, directory):
        self.name, self.directory = name, directory
        self.log = directory / f"{name}.log"
        self.process = self.url = None

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def spawn(self, argv, environment=None):
        """Returns when it has said where it listens."""
        if self.running:
            raise ask.Failed(f"{self.name} runs already (pid {self.pid})")
        said_before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, argv)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(environment or {})}, start_new_session=True)

        def said():
            with open(self.log, "rb") as log:
                log.seek(said_before)
                text = log.read().decode(errors="replace")
            found = re.search(r"\blistening\b.*? url=(\S+)", text)
            if not found and not self.running:
                raise ask.Failed(f"{self.name} ended at once with {self.process.returncode}: {text.strip()[-500:]}")
            return found

        found = ask.until(said, PATIENCE)
        if not found:
            self.kill()
            raise ask.Failed(f"{self.name} did not say within {PATIENCE:.0f} s where it listens: see {self.log}")
        self.url = found.group(1)

    def must_run(self):
        if not self.running:
            raise ask.Failed(f"{self.name} does not run: start {self.name}")

    def kill(self):
        """kill -9."""
        self.must_run()
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM, and SIGKILL for one that does not end."""
        self.must_run()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ask.Failed(f"{self.name} did not end within {GRACE:.0f} s of SIGTERM; it was killed") from None

    def last_lines(self, n=5):
        return self.log.read_text(errors="replace").splitlines()[-n:] if self.log.exists() else []
