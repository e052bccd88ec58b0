"""A chronyd of the tests' own: it leaves the machine's clock alone (-x), runs as the user that runs the tests, and has
ports of its own; so chronyc is called by a script that names the port."""
import os
import pwd
import shutil
import socket
import subprocess

import lab

CONF = lab.TOP / "deploy" / "chrony"


def program():
    found = shutil.which("chronyd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    assert found, "chronyd is not installed: deploy/deps test"
    return found


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def follows_text(server):
    """deploy/chrony/local.conf for a server that is asked more often than is polite, so that no test need wait."""
    text = (CONF / "local.conf").read_text()
    assert text.count("\nserver centre.example ") == 1
    return text.replace("\nserver centre.example ", f"\nserver {server} minpoll -4 maxpoll 0 ")


class Chronyd(lab.Program):
    """One with a configuration of deploy/chrony; `address`: where it serves time, None = nowhere."""

    def __init__(self, directory, name, text, address=None):
        super().__init__(directory, name)
        self.text, self.address = text, address
        self.chronyc = self.directory / f"{name}-chronyc"

    def argv(self):
        self.port, self.command_port = (free_udp_port() if self.address else 0), free_udp_port()
        conf = self.directory / f"{self.name}.conf"
        conf.write_text(self.text + f"""
port {self.port}
allow 127.0.0.0/8
bindaddress {self.address or '127.0.0.1'}
cmdport {self.command_port}
bindcmdaddress 127.0.0.1
bindcmdaddress /
pidfile {self.directory}/{self.name}.pid
""")
        self.chronyc.write_text(f'#!/bin/sh\nexec chronyc -h 127.0.0.1 -p {self.command_port} "$@"\n')
        self.chronyc.chmod(0o700)
        return [program(), "-U", "-x", "-d", "-u", pwd.getpwuid(os.geteuid()).pw_name, "-f", conf]

    def listens(self):
        """Again on other ports where somebody took one first."""
        def answers():
            if self.process.poll() is not None and "Could not" in self.log_text():
                self.spawn()
            assert self.process.poll() is None, f"chronyd ended: {self.log_text()}"
            return self.tracking().startswith(("0", "7"))

        lab.wait_until(f"{self.name} answers", answers)
        return self

    def tracking(self):
        return subprocess.run([self.chronyc, "-c", "-n", "tracking"], capture_output=True, text=True, timeout=20).stdout

    def follows(self):
        """Its first words are of a bound of a second: until it knows better."""
        def close():
            fields = self.tracking().strip().split(",")
            return fields[-1] == "Normal" and float(fields[11]) < 0.01
        lab.wait_until(f"{self.name} follows", close, 30)
