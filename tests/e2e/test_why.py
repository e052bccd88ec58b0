"""`why` and `safe` tell the truth: in step, and under each accident that a node or the centre may meet."""
import http.server
import json
import re
import threading

import lab


def why(centre, name="a"):
    """What it says by topic, and its exit code."""
    r = centre.tool("why", name, check=False)
    lines = dict(re.match(r"(\S+(?: do)?)\s+(.*)", line).groups() for line in r.stdout.splitlines())
    assert json.loads(centre.tool("--json", "why", name, check=False).stdout)["name"] == name
    return r.returncode, lines


def safe(centre, name="a", timeout="20s"):
    """Its answer as an exit code, and in words; the same with --json."""
    r = centre.tool("--timeout", timeout, "safe", name, check=False)
    assert not r.stderr, r.stderr
    return r.returncode, r.stdout


def test_in_step_it_says_so_and_what_comes_next(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "x", "body": 1})
    centre.in_sync("a")
    code, said = why(centre)
    assert code == 0 and "both ends hold the same 1 record" in said["a"]
    assert "read up to position 1 of 1" in said["position"] and said["waiting"] == "to pull 0, to push 0"
    assert "equal, 1 record" in said["proof"] and said["to do"].startswith("nothing")
    assert "a pull" in said["next"] and "failures" not in said
    code, text = safe(centre)
    assert code == 0 and "a may be reimaged: all it held at " in text and "up to position 1" in text
    answer = json.loads(centre.tool("--json", "safe", "a").stdout)
    assert answer["safe"] is True and answer["position"] == 1 and answer["at"] and not answer["pending"]
    r = centre.tool("why", "nobody", check=False)
    assert r.returncode == 1 and "there is no node nobody" in r.stderr
    r = centre.tool("safe", "nobody", check=False)
    assert r.returncode == 1 and "there is no node nobody" in r.stderr


def test_what_a_reimaged_node_gets_back_is_what_safe_promised(site):
    a = site.local("a")
    centre = site.centre(a, options=["--poll-interval", "1h"])
    centre.in_sync("a")
    a.write(*({"id": f"r{i}", "body": i} for i in range(200)))
    assert safe(centre)[0] == 0  # by an exchange of its own: the next one is not due for an hour
    held = {key: r["hash"] for key, r in a.records().items()}
    a.stop()
    a.wipe()
    a.start()
    centre.tool("wait", "a", "--in-sync")
    assert len(held) == 200 and {key: r["hash"] for key, r in a.records().items()} == held


def test_a_node_that_is_written_to_is_not_safe(site):
    a = site.local("a", options=["--generate", "20"])
    centre = site.centre(a)
    centre.in_sync("a")
    code, text = safe(centre)
    assert code == 1 and "something writes to it: its log went on from position " in text and "Stop what writes" in text
    assert json.loads(centre.tool("--json", "safe", "a", check=False).stdout)["safe"] is False


def test_down_is_not_known(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "x", "body": 1})
    centre.in_sync("a")
    a.stop()
    code, text = safe(centre)
    assert code == 1 and "as far as is known" in text and "refused" in text
    assert json.loads(centre.tool("--json", "safe", "a", check=False).stdout)["safe"] is None
    code, said = why(centre)
    assert code == 4 and "in a row failed" in said["failures"] and f"nobody listens at {a.url}" in said["to do"]
    assert re.match(r"in \d+ s \(.*Z\): a pull", said["next"])
    centre.stop()
    for command in ("why", "safe"):
        assert centre.tool(command, "a", check=False).returncode == 3


def test_paused_is_not_known_and_resuming_is_what_is_to_be_done(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync("a")
    centre.tool("node", "pause", "a")
    code, said = why(centre)
    assert code == 4 and said["next"].startswith("nothing: it is paused") and said["to do"] == "`tidemark node resume a`"
    code, text = safe(centre)
    assert code == 1 and "it is paused" in text
    centre.tool("node", "resume", "a")
    assert safe(centre)[0] == 0


def test_the_wrong_node_and_a_stranger_are_named(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync("a")
    port = int(a.url.rsplit(":", 1)[1])
    a.stop()
    b = site.local("b", port=port)
    code, text = safe(centre)
    assert code == 1 and "is the node b, not a" in text
    code, said = why(centre)
    assert code == 4 and "is the address of another node" in said["to do"]
    b.stop()
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        code, text = safe(centre)
        said = why(centre)[1]
        stranger.shutdown()
    assert code == 1 and "no Tidemark local" in text
    assert "something else listens" in said["to do"]


def test_a_clone_is_not_safe_whatever_it_holds(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "x", "body": 1})
    centre.in_sync("a")
    a.stop()
    a.copy_to(site.path / "clone")
    a.wipe()
    a.start()
    centre.in_sync("a")
    a.stop()
    a.restore_from(site.path / "clone")
    a.start()
    lab.wait_until("identity_conflict", lambda: centre.node("a")["state"] == "identity_conflict")
    code, text = safe(centre)
    assert code == 1 and "two databases claim its name" in text
    code, said = why(centre)
    assert code == 4 and "an operator has decided" in said["next"] and "`tidemark node resume a` accepts" in said["to do"]
    centre.tool("node", "resume", "a")
    centre.in_sync("a")
    assert safe(centre)[0] == 0


def test_a_token_that_is_refused_says_where_to_get_the_right_one(site):
    lab.private_file(site.path / "token", "not-the-right-one\n")
    lab.private_file(site.path / "secret", "the-secret-of-the-centre\n")
    a = site.local("a", options=["--token-file", site.path / "token"])
    centre = site.centre(a, options=["--secret-file", site.path / "secret"])
    lab.wait_until("refused", lambda: "401" in json.loads(
        centre.tool("--token-file", site.path / "secret", "--json", "node", "a").stdout)["reason"])
    r = centre.tool("--token-file", site.path / "secret", "why", "a", check=False)
    assert r.returncode == 4 and "what `tidemark node token a` prints" in r.stdout
