"""Clocks over a network: a centre and a site in namespaces of their own, each with a chronyd, the site's following the centre's.

The site's programs see the time that chronyd keeps, or, under libfaketime, another than it keeps: a clock that lies.
"""
import re
import secrets
import time

import pytest

import lab
from chronyd import CONF, Chronyd, follows_text
import netns
from netns import ADDRESS
from test_clock import HOUR, faketime, usual

PERIOD_S = 10 + 4  # chronyc is asked every ten seconds, and given four to answer
SECOND = 10**6

# How far the clocks of these are from what the site's chronyd keeps.  `near` is off by less than what counts as
# skewed, and by much more than chronyd and the measure allow.
CLOCKS = {"right": ("+0", 0), "ahead": ("+2.5s", 2_500_000), "decade": ("+3652d", 3652 * 24 * HOUR), "hour": ("-1h", -HOUR), "near": ("+0.05s", 50_000)}


class Away(netns.Away):
    """Under a faked clock."""

    def __init__(self, cable, keeper, token_file, directory, name, port):
        super().__init__(cable, directory, name, port, ["--chronyc", keeper.chronyc, "--token-file", directory / f"{name}.token",
                                                        "--app-token-file", token_file, "--allow-plain-http"])
        self.environment = faketime(FAKETIME=CLOCKS[name][0]) if CLOCKS[name][1] else None


@pytest.fixture
def apart(site, cable, monkeypatch):
    """(the centre, its locals by name, the site's chronyd): all tokens set, as programs on a network must have."""
    secret, app = (lab.private_file(site.path / name, secrets.token_urlsafe(32)) for name in ("secret", "app.token"))
    server = Chronyd(site.path, "chronyd-centre", (CONF / "centre.conf").read_text(), address=ADDRESS["centre"])
    keeper = Chronyd(site.path, "chronyd-site", "")
    try:
        with cable.at("centre"), lab.authorised(lambda url: app if ADDRESS["site"] in url else secret):  # this process, too: it asks the locals
            server.start()
            keeper.text = follows_text(f"{ADDRESS['centre']} port {server.port}").replace("centre.example", ADDRESS["centre"])
            with cable.at("site"):
                keeper.start().follows()
            monkeypatch.setenv("TIDEMARK_TOKEN_FILE", str(secret))  # the tool's; the locals have options of their own
            centre = site.centre(options=["--secret-file", secret, "--allow-network", "10.77.0.0/24", "--allow-plain-http", "--chronyc", server.chronyc])
            locals_ = {}
            for port, name in enumerate(CLOCKS, 7101):
                token = centre.tool("node", "add", name, f"http://{ADDRESS['site']}:{port}").stdout.strip()
                lab.private_file(site.path / f"{name}.token", token)
                locals_[name] = Away(cable, keeper, app, site.path, name, port)
                site.adopt(locals_[name])
            yield cable, centre, locals_, keeper
    finally:
        for p in (server, keeper):
            if p.process and p.process.poll() is None:
                p.kill()


def kept(centre, name):
    clock = centre.node(name)["clock"]
    return (clock["chrony"] or {}).get("state") == "synchronised" and clock["own_error_us"] < 20000 and clock


def rows(centre):
    return {line.split()[0]: line for line in centre.tool("nodes").stdout.splitlines()}


def check_clocks(centre):
    """Each is shown as far off as it is, within its band; and flagged when that is not what chronyd claims."""
    for name, (_, offset_us) in CLOCKS.items():
        clock = lab.wait_until(f"chronyd keeps the clock of {name}", lambda: kept(centre, name))
        assert abs(clock["offset_us"] - offset_us) <= clock["error_us"] + 1000, (name, clock)  # libfaketime's own reading
        assert clock["error_us"] < 100_000, clock
        assert clock["skewed"] is (abs(offset_us) > 10**5), (name, clock)
        assert clock["disagrees"] is (offset_us != 0), (name, clock)
        assert (" yet the node claims to be right to within " in clock["reason"]) is (offset_us != 0), clock
    shown = rows(centre)
    assert {name: re.search(r"SKEWED|DISAGREES|not kept|chronyd silent|$", row)[0] for name, row in shown.items() if name != "NODE"} == {
        "right": "", "ahead": "SKEWED", "decade": "SKEWED", "hour": "SKEWED", "near": "DISAGREES"}, shown
    status = centre.tool("status", "--check", check=False)
    assert status.returncode == 1 and set(re.findall(r"^~  (\w+) +clock_(?:skewed|disagrees) since .* the node claims", status.stdout, re.M)) == set(CLOCKS) - {"right"}
    metrics = centre.get("/metrics").body.decode()
    assert dict(re.findall(r'^tidemark_clock_disagrees{node="(\w+)"} (\d)$', metrics, re.M)) == {n: str(int(c[1] != 0)) for n, c in CLOCKS.items()}


def write_everywhere(centre, locals_, what, failed):
    """The newest of each is the last that was written, whatever the clocks call newer."""
    for name, l in locals_.items():
        l.write({"id": "same", "body": f"site {what}"}, {"id": f"only-{what}", "body": what})
        put = lab.call(f"{centre.url}/v1/records/{name}/edited", "PUT", f'{{"type":"t","body":"centre {what}"}}')
        assert put.status in (200, 201), put.body
    centre.in_sync()
    for name, l in locals_.items():
        assert centre.get(f"/v1/records/{name}/same").json["body"] == f"site {what}"
        assert l.get("/v1/records/edited").json["body"] == f"centre {what}"
        l.write({"id": "edited", "body": f"site {what}"})
    centre.in_sync()
    for name, l in locals_.items():
        assert centre.get(f"/v1/records/{name}/edited").json["body"] == f"site {what}"
        assert lab.same_records(l, centre) >= 3
    usual(centre, failed)


def check_keeper(centre, l):
    """Source, stratum and age: at the local, at the centre, and in the tool's words."""
    clock = lab.wait_until("the centre is told", lambda: kept(centre, l.name))
    for chrony in (clock["chrony"], l.status()["clock"]["chrony"]):
        assert chrony["source"] == ADDRESS["centre"] and chrony["stratum"] == 11 and chrony["leap"] == "normal", chrony
        assert 0 <= chrony["age_s"] <= PERIOD_S + 5, chrony
    assert clock["source"] == "chrony" and clock["synchronised"] is True
    assert re.fullmatch(r"chronyd follows 10\.77\.0\.1, stratum 11, which told it \d+ s ago", clock["keeper"]), clock
    shown = centre.tool("node", l.name).stdout
    for line in (r"clock kept +yes", r"clock keeper +chronyd follows 10\.77\.0\.1, .*", r"chrony source +10\.77\.0\.1", r"chrony stratum +11", r"chrony age s +\d+"):
        assert re.search(f"^{line}$", shown, re.M), (line, shown)


def test_a_clock_is_shown_as_it_is_kept_and_as_it_is(apart):
    cable, centre, locals_, keeper = apart
    right = locals_["right"]
    centre.in_sync()
    failed = {n["name"]: n["polls"]["failed"] for n in centre.nodes()}  # before the locals had their tokens and started
    check_keeper(centre, right)
    check_clocks(centre)
    write_everywhere(centre, locals_, "kept", failed)

    keeper.kill()
    began = time.monotonic()
    missed = lab.wait_until("it is missed", lambda: (c := centre.node("right")["clock"])["chrony"]["state"] == "silent" and c, PERIOD_S + 6)
    assert time.monotonic() - began < PERIOD_S + 2  # within its period, and a poll
    assert missed["keeper"].startswith("chronyd does not answer: is it running?"), missed
    assert missed["source"] in (None, "kernel") and missed["synchronised"] is (missed["source"] == "kernel"), missed
    assert (missed["own_error_us"] is None) is (missed["source"] is None)
    assert {missed["chrony"][k] for k in ("offset_us", "stratum", "age_s", "source")} == {None}
    own = right.status()["clock"]
    assert own["reason"] == missed["keeper"] and own["chrony"]["state"] == "silent", own
    assert re.search(r" warn clock chrony=silent reason=", right.log_text())
    assert re.search(r" (not kept|chronyd silent) ", rows(centre)["right"])
    write_everywhere(centre, locals_, "silent", failed)

    with cable.at("site"):
        keeper.start()
    began = time.monotonic()
    lab.wait_until("the new one is seen", lambda: (centre.node("right")["clock"]["chrony"] or {}).get("state") == "synchronised", PERIOD_S + 10)
    assert time.monotonic() - began < PERIOD_S + 6  # it finds its source first
    assert not re.search(r"not kept|chronyd silent", rows(centre)["right"])
    assert len(re.findall(r" clock chrony=", right.log_text())) <= 5  # told when it changes, not at every reading
    write_everywhere(centre, locals_, "again", failed)
