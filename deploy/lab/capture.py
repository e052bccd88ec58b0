"""What goes over the links, as a file for Wireshark: tshark on the loopback, with the links' ports."""
import pathlib
import re
import shutil
import signal
import subprocess

import ask

PATIENCE = 15.0  # s, until it captures


class Capture:
    """Begins once the packets are really taken; close() ends it."""

    def __init__(self, path, ports, directory):
        self.path, self.log = pathlib.Path(path).absolute(), directory / "tshark.log"
        ways = " or ".join(f"tcp port {p}" for p in ports)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "INT", "tshark", "-i", "lo", "-f", ways, "-F", "pcap", "-w", self.path],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        ask.until(lambda: self.process.poll() is not None or self.captures(), PATIENCE)
        if self.process.poll() is not None or not self.captures():
            self.process.kill()
            self.process.wait()
            raise Refused(f"tshark does not capture: {self.said()}")

    def said(self):
        return self.log.read_text(errors="replace").strip()

    def captures(self):
        """The file is there, with its header, once the device is open."""
        return re.search(r"Capturing on", self.said()) and self.path.exists() and self.path.stat().st_size >= 24

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        print(f"Captured: {self.path}, {self.path.stat().st_size} bytes")


class Refused(ask.Failed):
    """It cannot be captured here."""


def must_be_possible(path):
    """Before anything is started."""
    if not shutil.which("tshark"):
        raise Refused("--capture needs tshark.  As root, run: apt-get install tshark")
    if not pathlib.Path(path).absolute().parent.is_dir():
        raise Refused(f"--capture: there is no directory for {path}")
