"""The clocks' keeper for real: two chronyd, the configurations of deploy/chrony, and what the programs read of them.

Both run without touching the machine's clock (-x), as the user that runs the tests, on ports of their own; so chronyc is
called by a script that names the port.
"""
import os
import pwd
import re
import shutil
import socket
import subprocess

import pytest

import lab

CONF = lab.TOP / "deploy" / "chrony"


def chronyd():
    found = shutil.which("chronyd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    assert found, "chronyd is not installed: deploy/deps test"
    return found


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Chronyd(lab.Program):
    """One chronyd with a configuration of deploy/chrony, and `chronyc` for it."""

    def __init__(self, directory, name, text, serves):
        super().__init__(directory, name)
        self.text, self.serves = text, serves
        self.chronyc = self.directory / f"{name}-chronyc"

    def argv(self):
        self.port, self.command_port = (free_udp_port() if self.serves else 0), free_udp_port()
        conf = self.directory / f"{self.name}.conf"
        conf.write_text(self.text + f"""
port {self.port}
allow 127.0.0.0/8
bindaddress 127.0.0.1
cmdport {self.command_port}
bindcmdaddress 127.0.0.1
bindcmdaddress /
pidfile {self.directory}/{self.name}.pid
""")
        self.chronyc.write_text(f'#!/bin/sh\nexec chronyc -h 127.0.0.1 -p {self.command_port} "$@"\n')
        self.chronyc.chmod(0o700)
        return [chronyd(), "-U", "-x", "-d", "-u", pwd.getpwuid(os.geteuid()).pw_name, "-f", conf]

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


@pytest.fixture
def keepers(tmp_path):
    """The centre's chronyd and a site's that follows it."""
    centre = Chronyd(tmp_path, "chronyd-centre", (CONF / "centre.conf").read_text(), serves=True)
    site = Chronyd(tmp_path, "chronyd-site", "", serves=False)
    try:
        centre.start()
        text = (CONF / "local.conf").read_text()
        assert text.count("\nserver centre.example ") == 1
        # asked more often than is polite, so that the test need not wait
        site.text = text.replace("\nserver centre.example ", f"\nserver 127.0.0.1 port {centre.port} minpoll -4 maxpoll 0 ")
        site.start()
        yield centre, site
    finally:
        for p in (centre, site):
            if p.process and p.process.poll() is None:
                p.kill()


@pytest.mark.parametrize("name, holds", [
    ("centre.conf", ["allow 10.0.0.0/8", "allow 172.16.0.0/12", "allow 192.168.0.0/16", "allow fd00::/8", "local stratum 10 orphan"]),
    ("local.conf", ["server centre.example iburst prefer", "makestep 1 3"]),
])
def test_the_configurations_are_what_chronyd_understands(name, holds, tmp_path):
    r = subprocess.run([chronyd(), "-p", "-f", CONF / name], capture_output=True, text=True, timeout=20)
    assert r.returncode == 0, r.stdout + r.stderr
    assert [line for line in r.stdout.splitlines() if line and not line.startswith("#")] == holds
    wrong = tmp_path / "wrong.conf"
    wrong.write_text((CONF / name).read_text() + "alow 10.0.0.0/8\n")  # that it can fail
    assert subprocess.run([chronyd(), "-p", "-f", wrong], capture_output=True, timeout=20).returncode != 0


def test_a_site_follows_the_centre_and_both_show_it(site, keepers):
    centre_keeper, site_keeper = keepers
    site_keeper.follows()
    l = site.local("a", options=["--chronyc", site_keeper.chronyc])
    centre = site.centre(l, options=["--chronyc", centre_keeper.chronyc])

    def kept():
        clock = l.status()["clock"]
        return clock["source"] == "chrony" and clock
    clock = lab.wait_until("the local reads it", kept)
    assert clock["synchronised"] is True and 0 < clock["error_us"] < 50000, clock
    chrony = clock["chrony"]
    assert chrony["state"] == "synchronised" and chrony["source"] == "127.0.0.1" and chrony["reference_id"] == "7F000001"
    assert chrony["stratum"] == 11 and chrony["leap"] == "normal", chrony
    # The bound is made of its parts, and chronyc says the same offset with the same sign.
    parts = abs(chrony["offset_us"]) + chrony["root_delay_us"] / 2 + chrony["root_dispersion_us"]
    assert parts - 2.5 <= chrony["error_us"] <= parts + 1, chrony
    assert re.search(r"^tidemark_clock_synchronised 1$", l.get("/metrics").body.decode(), re.M)

    # The centre itself has no source here: it serves its own time, and does not call that synchronised by chronyd.
    own = lab.wait_until("the centre reads its own", lambda: centre.get("/v1/status").json["clock"]["chrony"] and centre.get("/v1/status").json["clock"])
    assert own["chrony"]["state"] == "alone" and own["chrony"]["stratum"] == 10 and own["source"] != "chrony", own
    assert own["chrony"]["offset_us"] is None and own["chrony"]["error_us"] is None

    # It is told by the feed, and what is written carries the bound, the same at both ends.
    (written,) = l.write({"id": "x", "body": 1})
    centre.in_sync("a")
    node = lab.wait_until("the node's at the centre", lambda: centre.node("a")["clock"]["source"] == "chrony" and centre.node("a")["clock"])
    assert node["synchronised"] is True and 0 < node["own_error_us"] < 50000
    assert node["chrony"]["state"] == "synchronised" and node["chrony"]["source"] == "127.0.0.1" and node["chrony"]["stratum"] == 11
    record = l.get(f"/v1/records/{written['id']}").json
    assert 0 < record["clock_error_us"] < 50000
    assert centre.get("/v1/records/a/x").json["clock_error_us"] == record["clock_error_us"]
    shown = centre.tool("node", "a").stdout
    assert re.search(r"^clock kept by +chrony$", shown, re.M) and re.search(r"^chrony source +127\.0\.0\.1$", shown, re.M), shown


def test_a_chronyd_that_dies_is_noticed_and_a_new_one_too(site, keepers):
    _, keeper = keepers
    keeper.follows()
    l = site.local("a", options=["--chronyc", keeper.chronyc])
    centre = site.centre(l, options=["--chronyc", ""])
    assert centre.get("/v1/status").json["clock"]["chrony"] is None  # never asked
    lab.wait_until("the centre hears of it", lambda: (centre.node("a")["clock"]["chrony"] or {}).get("state") == "synchronised")
    keeper.kill()
    lab.wait_until("it is missed", lambda: l.status()["clock"]["chrony"]["state"] == "silent", 30)
    clock = l.status()["clock"]
    assert clock["source"] in (None, "kernel") and clock["chrony"]["offset_us"] is None and clock["chrony"]["stratum"] is None
    assert clock["reason"] == "chronyd does not answer: is it running?"
    assert clock["synchronised"] is (clock["source"] == "kernel") and (clock["error_us"] is None) is (clock["source"] is None)
    lab.wait_until("at the centre too", lambda: centre.node("a")["clock"]["chrony"]["state"] == "silent")
    assert re.search(r" warn clock chrony=silent reason=", l.log_text())
    keeper.start()
    lab.wait_until("the new one is seen", lambda: l.status()["clock"]["source"] == "chrony", 30)
    assert len(re.findall(r" clock chrony=", l.log_text())) <= 5  # told when it changes, not at every reading
    assert centre.events(node="a") and {e["kind"] for e in centre.events(node="a")} <= {"node.added", "node.state"}
