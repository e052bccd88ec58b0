"""TLS at both ends: who is believed and who is not, each with its reason; renewal while everything goes on; and plain HTTP beyond
loopback only by name."""
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import warnings

import pytest

import lab
from authority import Authority


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path)


def results(centre, name):
    """What came of the exchanges with it, each kind once."""
    return {k for k, n in centre.outcomes(name).items() if n}


def refused(node):
    return node["polls"]["failed"] > 0


def test_each_wrong_certificate_of_a_node_has_its_reason(site, ca):
    """The centre believes one authority: what is not a good certificate of it keeps only its own node away, and is said in words;
    so is the wrong scheme in a URL."""
    ca.make("good=127.0.0.1", "name=shop.example")
    ca.make("expired=127.0.0.1", days=1, at="-100d")
    ca.make("future=127.0.0.1", days=1, at="+100d")
    other = Authority(site.path, "other").make("stranger=127.0.0.1").self_signed("alone")
    table = {
        "good": (ca, None),
        "name": (ca, "is for another (name|address) than the one in its URL"),
        "expired": (ca, "has expired"),
        "future": (ca, "is not valid yet"),
        "stranger": (other, "signed by an authority that is not believed here"),
        "alone": (other, "is self-signed"),
    }
    locals_ = [site.local(name, options=of.files(name)) for name, (of, _) in table.items()]
    urls = {l.name: l.url for l in locals_}
    plain, locked = site.local("plain"), site.local("locked", options=ca.files("good"))
    urls["plain"], urls["locked"] = plain.url.replace("http:", "https:"), locked.url.replace("https:", "http:")
    assert all(u.startswith("https://127.0.0.1:") for n, u in urls.items() if n != "locked")
    centre = site.centre(options=["--tls-ca", ca.ca, *(o for n, u in urls.items() for o in ("--node", f"{n}={u}"))])
    centre.in_sync("good")
    wanted = {n: w for n, (_, w) in table.items() if w}
    wanted["plain"], wanted["locked"] = "does it speak plain HTTP", "must begin with https://"
    for name, words in wanted.items():
        node = lab.wait_until(f"{name} was refused", lambda name=name: (lambda n: n if refused(n) else None)(centre.node(name)))
        assert node["state"] == "never_seen" and re.search(words, node["reason"]), (name, node["reason"])
        assert results(centre, name) == {"tls"}, name
    assert "certificate" in centre.tool("why", "expired", check=False).stdout
    assert "good" not in {n["name"] for n in centre.nodes() if n["state"] != "in_sync"}


@pytest.mark.skipif(not pathlib.Path("/proc/self/ns/mnt").exists(), reason="no mount namespaces")
def test_a_named_authority_is_believed_in_place_of_the_systems(site, ca):
    """Without --tls-ca a node with a certificate of the system's authorities is in step; with another one named, it is not."""
    ca.make("shop-1=127.0.0.1")
    shop = site.local("shop-1", options=ca.files("shop-1"))
    system = site.path / "certs"
    system.mkdir()
    shutil.copy(ca.ca, system / "ca-certificates.crt")
    subprocess.run(["openssl", "rehash", system], check=True)
    pinned = Authority(site.path, "pinned").make("x=127.0.0.1")

    class Believing(lab.Centre):
        def argv(self):
            return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs && exec "$@"', system, *super().argv()]

    centre = site.adopt(Believing(site.path, [shop], name="believing"))
    centre.in_sync("shop-1")
    centre.stop()
    centre = site.adopt(Believing(site.path, [shop], name="pinning", options=["--tls-ca", pinned.ca]))
    node = lab.wait_until("it was asked", lambda: (lambda n: n if refused(n) else None)(centre.node("shop-1")))
    assert "not believed here" in node["reason"] and node["state"] == "never_seen"


def context(ca, shown=None):
    c = ssl.create_default_context(cafile=ca.ca)
    if shown:
        c.load_cert_chain(f"{shown}.pem", f"{shown}.key")
    return c


def test_only_a_centre_with_a_good_certificate_may_replicate(site, ca):
    """What the local makes of each client certificate: replication is refused with the reason, applications and health go on."""
    ca.make("shop-1=127.0.0.1", "--client", "centre=127.0.0.1")
    ca.make("--client", "expired=127.0.0.1", days=1, at="-100d")
    ca.make("--client", "future=127.0.0.1", days=1, at="+100d")
    other = Authority(site.path, "other").make("--client", "centre=127.0.0.1").self_signed("alone")
    shop = site.local("shop-1", options=[*ca.files("shop-1"), "--tls-client-ca", ca.ca])
    table = [
        (ca.directory / "centre", None),
        (None, "none was shown"),
        (ca.directory / "expired", "has expired"),
        (ca.directory / "future", "is not valid yet"),
        (ca.directory / "shop-1", "is not one for clients"),
        (other.directory / "centre", "is of no authority that is believed here"),
        (other.directory / "alone", "is of no authority that is believed here"),
    ]
    replication = (("GET", "/v1/changes"), ("POST", "/v1/apply"), ("POST", "/v1/epoch"), ("GET", "/v1/digest"), ("POST", "/v1/fetch"))
    for shown, words in table:
        c = context(ca, shown)
        for method, path in replication:
            r = shop.get(path, method=method, body=b"{}" if method == "POST" else None, context=c)
            assert (r.status == 403 and r.code == "certificate_required" and words in r.json["detail"]) if words else (
                r.status != 403), (shown, path, r.body)
        assert shop.get("/healthz", context=c).status == 200
        assert shop.post("/v1/records", [{"id": "a", "type": "t", "body": 1}], context=c).status == 201
    centre = site.centre(shop, options=["--tls-ca", ca.ca])
    node = lab.wait_until("it was asked", lambda: (lambda n: n if refused(n) else None)(centre.node("shop-1")))
    assert "refused the centre's client certificate" in node["reason"] and "none was shown" in node["reason"]
    assert results(centre, "shop-1") == {"tls"}


def hangup(program):
    before = len(program.log_text())
    program.process.send_signal(signal.SIGHUP)
    return lab.wait_until("reloaded", lambda: (lambda new: new if re.search(r" reload(ed|\.failed) ", new) else None)(
        program.log_text()[before:]))


def serial(program, ca):
    parts = program.url.rsplit(":", 1)
    with context(ca).wrap_socket(socket.create_connection(("127.0.0.1", int(parts[1])), timeout=10), server_hostname="127.0.0.1") as s:
        return s.getpeercert()["serialNumber"]


@pytest.mark.both_stores
def test_certificates_are_renewed_while_exchanges_go_on(site, ca):
    """Both programs and all directions by TLS with client certificates: renewed pairs are taken at SIGHUP, a broken one changes
    nothing, no write and no exchange fails, and everything is equal at the end."""
    ca.make("shop-1=127.0.0.1", "--client", "centre=127.0.0.1", "shop-2=127.0.0.1", "--client", "operator")
    shops = [site.local(n, options=[*ca.files(n), "--tls-client-ca", ca.ca]) for n in ("shop-1", "shop-2")]
    centre = lab.Centre(site.path, shops, options=[*ca.files("centre"), *ca.shown("centre"), "--tls-ca", ca.ca])
    centre.environment = {}
    site.adopt(centre)
    assert centre.url.startswith("https://")
    tool = lambda *args: subprocess.run([lab.BIN / "tidemark", "--central", centre.url, "--tls-ca", ca.ca, *args], capture_output=True,  # noqa: E731
                                        text=True, timeout=60)
    assert tool("wait", "--in-sync", "--timeout", "20s").returncode == 0
    wrong, stop, written = [], threading.Event(), [0]

    def write():
        while not stop.is_set():
            r = lab.call(shops[0].url + "/v1/records", "POST", b'{"type":"t","body":%d}' % written[0])
            written[0] += r.status == 201
            if r.status != 201:
                wrong.append(r.body)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(4):
            for program, name in ((shops[0], "shop-1"), (shops[1], "shop-2"), (centre, "centre")):
                before = serial(program, ca)
                ca.make(*(["--client"] if name == "centre" else []), f"{name}=127.0.0.1")
                text = hangup(program)
                assert "reload.failed" not in text and "setting.changed option=tls-certificate" in text, text
                assert serial(program, ca) != before
        good = ca.pem("shop-1").read_bytes()
        for broken in (b"", b"no certificate", good[:200], ca.pem("shop-2").read_bytes()):
            ca.pem("shop-1").write_bytes(broken)
            before = serial(shops[0], ca)
            assert "reload.failed" in hangup(shops[0])
            assert serial(shops[0], ca) == before
        ca.pem("shop-1").write_bytes(good)
        ca.key("centre").chmod(0o644)
        assert "chmod" in hangup(centre)
        ca.key("centre").chmod(0o600)
    finally:
        stop.set()
        writer.join()
    assert tool("wait", "--in-sync", "--timeout", "20s").returncode == 0
    assert not wrong and written[0] > 20
    assert lab.same_records(shops[0], centre) == written[0]
    for name in ("shop-1", "shop-2"):
        assert results(centre, name) <= {"ok", "epoch", "cancelled"}, centre.outcomes(name)


def test_a_certificate_near_its_end_is_said_until_it_is_renewed(site, ca):
    """Of a node by the node itself, of the centre by the centre: in unwell, events and metrics, and no longer once SIGHUP took a new one."""
    ca.make("shop-1=127.0.0.1", "--client", "centre=127.0.0.1", days=20)
    shop = site.local("shop-1", options=ca.files("shop-1"))
    centre = site.adopt(lab.Centre(site.path, [shop], options=[*ca.files("centre"), *ca.shown("centre"), "--tls-ca", ca.ca]))

    def left(program, use):
        m = re.search(rf'^tidemark_certificate_expiry_seconds{{use="{use}"}} (\S+)$', program.get("/metrics").body.decode(), re.M)
        return float(m[1]) / 86400

    def unwell(kinds):
        return {u["kind"]: u for u in kinds}.get("certificate_ends")

    def of_node():
        return unwell(centre.node("shop-1")["unwell"])

    def of_centre():
        return unwell(centre.get("/v1/status").json["unwell"])

    said = lab.wait_until("the node is unwell", of_node)
    assert said["level"] == "warn" and "its TLS certificate ends at 20" in said["text"], said
    assert lab.wait_until("the centre is unwell", of_centre)["level"] == "warn"
    assert "SIGHUP" in centre.node("shop-1")["unblock"]
    assert "certificate.ends" in shop.log_text() and 19 < left(shop, "server") < 20 and 19 < left(centre, "client") < 20
    ca.make("shop-1=127.0.0.1", "--client", "centre=127.0.0.1", days=90)
    for p in (shop, centre):
        assert "reload.failed" not in hangup(p)
    lab.wait_until("both are well", lambda: not of_node() and not of_centre())
    assert "certificate.renewed" in shop.log_text() and 89 < left(shop, "server") <= 90 and 89 < left(centre, "server") <= 90
    lab.wait_until("that is told", lambda: any("certificate_ends: it is over" in e["text"] for e in centre.events("shop-1", "node.recovered")))


def test_old_versions_and_weak_ciphers_get_no_connection(site, ca):
    """TLS 1.2 and 1.3 with forward secrecy are spoken; 1.0, 1.1, RSA key exchange and CBC are not, and the server goes on."""
    shop = site.local("shop-1", options=ca.make("shop-1=127.0.0.1").files("shop-1"))
    port = int(shop.url.rsplit(":", 1)[1])

    def speaks(versions, ciphers=None):
        c = context(ca)
        c.minimum_version, c.maximum_version = versions
        c.set_ciphers(f"{ciphers or 'ALL'}:@SECLEVEL=0")
        try:
            with c.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname="127.0.0.1") as s:
                return s.version()
        except (ssl.SSLError, ConnectionError):
            return None

    v = ssl.TLSVersion
    assert speaks((v.TLSv1_3, v.TLSv1_3)) == "TLSv1.3" and speaks((v.TLSv1_2, v.TLSv1_2)) == "TLSv1.2"
    assert speaks((v.TLSv1_2, v.TLSv1_2), "ECDHE-ECDSA-CHACHA20-POLY1305") == "TLSv1.2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for old in (v.TLSv1, v.TLSv1_1):
            assert speaks((old, old)) is None
    for weak in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "NULL", "aNULL"):
        assert speaks((v.TLSv1_2, v.TLSv1_2), weak) is None, weak
    assert shop.get("/healthz").status == 200


def test_tools_speak_tls(site, ca):
    """The tool, its watching of events, import and export by TLS: the right authority is believed, no other, and a centre that wants
    certificates of people gets one."""
    ca.make("shop-1=127.0.0.1", "--client", "centre=127.0.0.1", "--client", "operator")
    other = Authority(site.path, "other").make("x=127.0.0.1")
    shop = site.local("shop-1", options=ca.files("shop-1"))
    centre = lab.Centre(site.path, [shop], options=[*ca.files("centre"), "--tls-ca", ca.ca, "--tls-client-ca", ca.ca])
    site.adopt(centre)
    local = [lab.BIN / "tidemark-local"]
    tool = [lab.BIN / "tidemark", "--central", centre.url]
    data = site.path / "data.ndjson"
    data.write_text('{"id":"a","type":"t","body":{"n":1}}\n')

    def run(*argv):
        return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)

    r = run(*local, "import", "--to", shop.url, "--tls-ca", other.ca, data)
    assert r.returncode == 3 and "not believed here" in r.stderr
    r = run(*local, "import", "--to", shop.url, data)
    assert r.returncode == 3 and "not believed here" in r.stderr
    assert run(*local, "import", "--to", shop.url, "--tls-ca", ca.ca, data).returncode == 0
    r = run(*local, "export", "--from", shop.url, "--tls-ca", ca.ca, "-")
    assert r.returncode == 0 and '"n":1' in r.stdout
    r = run(*tool, "--tls-ca", ca.ca, "status")
    assert r.returncode == 6 and "client certificate is needed" in r.stderr
    shown = ["--tls-ca", ca.ca, *ca.shown("operator")]
    assert run(*tool, *shown, "wait", "--in-sync", "--timeout", "20s").returncode == 0
    assert '"n":1' in run(*tool, *shown, "record", "shop-1/a").stdout
    r = run(*tool, "--tls-ca", site.path / "missing.pem", "status")
    assert r.returncode == 6 and "missing.pem" in r.stderr
    r = run(*tool, "--tls-client-key", ca.key("operator"), "status")
    assert r.returncode == 6 and "--tls-client-certificate" in r.stderr
    r = run(*tool[:1], "--central", centre.url.replace("https", "http"), *shown, "status")
    assert r.returncode == 1 and "https://" in r.stderr
    assert centre.get("/healthz").status == 200
    assert centre.get("/v1/status").code == "certificate_required"
    assert centre.get("/v1/status", context=context(ca, ca.directory / "operator")).status == 200


def test_plain_http_beyond_loopback_is_asked_for_by_name(site, ca):
    """Neither program listens beyond loopback, and the centre asks no node there, without TLS, unless told so; then it says once
    what that means."""
    token = lab.private_file(site.path / "token", "a-token-of-the-test\n")
    ca.make("here=127.0.0.1")
    local = [lab.BIN / "tidemark-local", "--node", "b", "--db", site.path / "b.db", "--token-file", token, "--app-token-file", token]
    central = [lab.BIN / "tidemark-central", "--store", f"sqlite:{site.path}/c.db", "--secret-file", token, "--allow-network", "192.0.2.0/24"]

    def check(argv, *more):
        r = subprocess.run([*argv, "--check-config", *more], capture_output=True, text=True, timeout=20)
        return r.returncode, r.stderr

    for argv in (local, central):
        code, said = check(argv, "--listen", "0.0.0.0:0")
        assert code == 6 and "--tls-certificate" in said and "--allow-plain-http" in said
        assert check(argv, "--listen", "0.0.0.0:0", "--allow-plain-http") == (0, "")
        assert check(argv, "--listen", "0.0.0.0:0", *ca.files("here")) == (0, "")
        assert check(argv, "--listen", "127.0.0.1:0") == (0, "")
        code, said = check(argv, "--tls-certificate", ca.pem("here"))
        assert code == 2 and "--tls-key" in said
        code, said = check(argv, "--tls-client-ca", ca.ca)
        assert code == 2 and "--tls-certificate" in said
    for url in ("http://192.0.2.7:7101", "http://shop.example:7101"):
        code, said = check(central, "--node", f"a={url}")
        assert code == 6 and "https://" in said and "--allow-plain-http" in said
        assert check(central, "--node", f"a={url}", "--allow-plain-http") == (0, "")
    centre = site.centre(options=["--allow-network", "192.0.2.0/24"])
    r = centre.post("/v1/nodes", {"name": "far", "url": "http://192.0.2.7:7101"})
    assert r.status == 400 and "https://" in r.json["detail"]
    assert centre.post("/v1/nodes", {"name": "far", "url": "https://192.0.2.7:7101"}).status == 201
    assert "plain_http" not in centre.log_text()

    class Open(lab.Local):
        def argv(self):
            return [*local, "--listen", "0.0.0.0:0", "--allow-plain-http"]

    assert re.search(r"warn plain_http ", site.adopt(Open(site.path, "open")).log_text())


def test_a_token_is_shown_in_the_clear_only_by_name(site, tmp_path):
    """By the tool, import and export as well: http:// beyond this machine, by whatever name, is asked nothing with a token in the hand."""
    token = lab.private_file(tmp_path / "token", "some-secret-of-a-centre\n")
    (tmp_path / "one.ndjson").write_text('{"id":"a","type":"t","body":1}\n')
    tool = [lab.BIN / "tidemark", "--timeout", "2s", "--central"]
    local = [lab.BIN / "tidemark-local", "export", "--from"]

    def asks(argv, url, *more):
        r = subprocess.run([*argv, url, *more], capture_output=True, text=True, timeout=60, cwd=tmp_path)
        return r.returncode, "in the clear" in r.stderr and "--allow-plain-http" in r.stderr

    for url in ("http://192.0.2.7:7100", "HTTP://192.0.2.7:7100", "http://[2001:db8::7]:7100"):
        for command in (["status"], ["events", "-f"], ["backup", "b.db"], ["import", "--owner", "a", "one.ndjson"]):
            assert asks(tool, url, "--token-file", token, *command) == (6, True), (url, command)
        assert asks(local, url, "--app-token-file", token) == (6, True)
    assert asks(tool, "http://192.0.2.7:7100", "status") == (3, False)  # nothing to lose
    for url, more in (("http://192.0.2.7:7100", ["--allow-plain-http"]), ("https://192.0.2.7:7100", [])):
        assert asks(tool, url, "--token-file", token, *more, "status") == (3, False)
    centre = site.centre(options=["--secret-file", token])
    for host in ("127.0.0.1", "localhost"):
        assert asks(tool, f"http://{host}:{centre.url.rpartition(':')[2]}", "--token-file", token, "status") == (0, False)
