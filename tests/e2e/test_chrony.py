"""The clocks' keeper for real: two chronyd, the configurations of deploy/chrony, and what the programs read of them.

Over a network, and what becomes of a chronyd that dies: test_clocks_apart.py.
"""
import re
import subprocess

import pytest

import lab
from chronyd import CONF, Chronyd, follows_text, program


@pytest.fixture
def keepers(tmp_path):
    """The centre's chronyd and a site's that follows it."""
    centre = Chronyd(tmp_path, "chronyd-centre", (CONF / "centre.conf").read_text(), address="127.0.0.1")
    site = Chronyd(tmp_path, "chronyd-site", "")
    try:
        centre.start()
        site.text = follows_text(f"127.0.0.1 port {centre.port}")
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
    r = subprocess.run([program(), "-p", "-f", CONF / name], capture_output=True, text=True, timeout=20)
    assert r.returncode == 0, r.stdout + r.stderr
    assert [line for line in r.stdout.splitlines() if line and not line.startswith("#")] == holds
    wrong = tmp_path / "wrong.conf"
    wrong.write_text((CONF / name).read_text() + "alow 10.0.0.0/8\n")  # that it can fail
    assert subprocess.run([program(), "-p", "-f", wrong], capture_output=True, timeout=20).returncode != 0


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
