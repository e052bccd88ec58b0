"""The lab story of deploy/demo, headless, is the system test; and it fails where the product breaks a promise."""
import importlib.util
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess

import pytest

import lab

PROGRAM = lab.TOP / "deploy" / "lab"


def start(tmp_path, *args, bin_=lab.BIN, stdin=subprocess.DEVNULL):
    """With its directory in tmp_path, so that what it leaves is seen."""
    return subprocess.Popen(["/usr/bin/python3", PROGRAM, "--bin", bin_, *args], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, env={**os.environ, "TMPDIR": str(tmp_path)})


def play(tmp_path, *args, bin_=lab.BIN, typed=None):
    """(exit status, what it said)"""
    with start(tmp_path, *args, bin_=bin_, stdin=subprocess.PIPE if typed else subprocess.DEVNULL) as p:
        try:
            said, _ = p.communicate(typed, timeout=300)
        finally:
            p.kill()
    return p.returncode, said


def processes(tmp_path):
    """Those that have to do with files there."""
    found = []
    for f in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(tmp_path) in f.read_bytes():
                found.append(int(f.parent.name))
        except OSError:
            pass  # it has ended
    return found


def nothing_is_left(tmp_path):
    lab.wait_until("all it started has ended", lambda: not processes(tmp_path))
    assert list(tmp_path.glob("tidemark-demo.*")) == []


@pytest.mark.both_stores
def test_every_check_of_the_story_holds(tmp_path, store_kind):
    status, said = play(tmp_path, "--story", "--store", store_kind)
    print(said)
    held, chapters = len(re.findall(r"^  ✓ ", said, re.M)), re.findall(r"^(\d)/9  ", said, re.M)
    assert status == 0 and said.endswith(f"\nAll {held} checks held.\n") and held >= 60 and "✗" not in said
    assert chapters == [str(n) for n in range(1, 10)]
    nothing_is_left(tmp_path)


ALTERED = 'case $* in *centre.db*) [ ! -e "$0.ran" ] || sqlite3 "$db" "UPDATE records SET body = \'{}\' WHERE id = \'b1-000007\'"; : >"$0.ran" ;; esac'

BROKEN = {  # what is wrong: the program, what its stand-in does before it runs the real one with $@, the chapter, the check that must fail
    "the wrong version wins": ("tidemark-central", 'set -- "$@" --conflict centre', "conflict", "both ends have the site's version"),
    "a clock that is not measured": ("tidemark-local", "unset LD_PRELOAD", "clock", "measured within its error, and flagged"),
    "a centre that forgets": ("tidemark-central", 'rm -f "$db"*', "centre", "it was killed in the middle"),
    "a body that was altered": ("tidemark-central", ALTERED, "centre", "tidemark verify site-"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_story_fails_where_a_promise_is_broken(tmp_path, what):
    program, first, chapter, check = BROKEN[what]
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in ("tidemark", "tidemark-local", "tidemark-central"):
        (bin_ / name).symlink_to(lab.BIN / name)
    (bin_ / program).unlink()
    real = shlex.quote(str(lab.BIN / program))
    (bin_ / program).write_text(f'#!/bin/sh\nset -e\nfor db; do case $db in sqlite:*) break ;; esac; done\ndb=${{db#sqlite:}}\n{first}\nexec {real} "$@"\n')
    (bin_ / program).chmod(0o755)
    status, said = play(tmp_path, "--story", "--chapter", chapter, bin_=bin_)
    assert status == 1, said
    (broken,) = re.findall(r"^  ✗ (.*)$", said, re.M)
    assert broken.startswith(check), said
    assert "The story ended early" in said and "checks held." not in said
    nothing_is_left(tmp_path)


def load_checks():
    spec = importlib.util.spec_from_file_location("lab_checks", PROGRAM / "checks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECKS = load_checks()
SUM = {"count": 2, "sum": "ab" * 16}
NODE = {"state": "in_sync", "reason": "", "proof": {"equal": True, "count": 2, "digest": SUM}, "backlog": {"push": 20}, "next_attempt_at": "2026-01-01T00:00:00Z"}
STATUS = {"records": 2, "digest": SUM}
LINES = [f'{{"owner":"a","id":"{i}","type":"t","deleted":false,"body":{i}.0,"hash":"{i}","dot":"x.{i}","seq":{i}}}' for i in (1, 2)]
THERE = [line.rpartition(',"seq"')[0] + "}" for line in LINES]
CLOCK = {"offset_us": 2_500_100, "error_us": 200, "skewed": True}
LOSER = [{"id": 1, "why": "conflict", "record_id": "x", "record": {"body": "lost"}}]
EVENTS = [{"at": "2026-01-01T00:00:00.000000Z", "kind": "pushed", "node": "a", "text": "pushed 1,000 records".replace(",", "")}]
DATED = [{"body": b, "hash": b, "updated_at": t} for b, t in (("1", "2026-01-01T00:00:02Z"), ("2", "2026-01-01T00:00:01Z"))]


@pytest.mark.parametrize("check, good, bad", [
    (CHECKS.proven_equal, (NODE, STATUS), [
        ({**NODE, "state": "catching_up"}, STATUS), (NODE, {**STATUS, "digest": {**SUM, "sum": "cd" * 16}}), (NODE, {**STATUS, "records": 3}),
        ({**NODE, "proof": {**NODE["proof"], "equal": None}}, STATUS)]),
    (CHECKS.same_records, (LINES, THERE), [
        (LINES, THERE[:1]), (LINES[:1], THERE), (LINES, [THERE[0], THERE[1].replace("2.0", "2.00")]), (LINES, [*THERE, THERE[0]]), (LINES, [THERE[0]] * 2)]),
    (CHECKS.nothing_lost, ({"1": "1.0"}, THERE), [({"1": "1"}, THERE), ({"3": "3.0"}, THERE), ({"1": "1.0"}, [])]),
    (CHECKS.waits, (NODE, 20), [(NODE, 21), ({**NODE, "next_attempt_at": None}, 20)]),
    (CHECKS.flagged, (CLOCK, 2.5), [(CLOCK, 2.6), ({**CLOCK, "skewed": False}, 2.5), ({**CLOCK, "offset_us": None}, 2.5)]),
    (CHECKS.rising, ([{"seq": 1}, {"seq": 2}],), [([{"seq": 2}, {"seq": 1}],), ([{"seq": 1}, {"seq": 1}],)]),
    (CHECKS.one_conflict, (LOSER, "x", "lost"), [([], "x", "lost"), (LOSER, "x", "won"), (LOSER * 2, "x", "lost"), (LOSER, "y", "lost")]),
    (CHECKS.later_stands, (*DATED, DATED[1], DATED[1]), [(*DATED, DATED[0], DATED[0]), (*DATED, DATED[1], DATED[0]), (*DATED[::-1], DATED[0], DATED[0])]),
    (CHECKS.told, (EVENTS, "pushed"), [(EVENTS, "WIPED"), ([], "pushed")]),
    (CHECKS.not_told, (EVENTS, ("WIPED",)), [(EVENTS, ("WIPED", "pushed"))]),
    (CHECKS.moved, (EVENTS, "pushed", 1000), [(EVENTS, "pushed", 1001), (EVENTS, "pulled", 1)]),
    (CHECKS.between, (1, 2, 3), [(1, 1, 3), (1, 3, 3), (1, 0, 3), (1, None, 3)]),
    (CHECKS.quick, ([0.01, 0.02, 9.0], 0.1), [([0.01, 0.2, 0.3], 0.1)]),
    (CHECKS.soon_enough, (1.0, 1.0), [(1.01, 1.0)]),
    (CHECKS.stands, ([{"id": "x", "body": 1}] * 2, 1), [([{"id": "x", "body": 1}, {"id": "x", "body": 2}], 1)]),
], ids=lambda v: getattr(v, "__name__", ""))
def test_a_check_holds_for_the_truth_alone(check, good, bad):
    assert check(*good)[0] is True
    for case in bad:
        holds, seen = check(*case)
        assert holds is False and seen, case


def reach(p, text):
    """Reads on until it has said that."""
    for line in p.stdout:
        if text in line:
            return
    raise AssertionError(f"it ended before it said {text}")


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_that_is_interrupted_leaves_nothing(tmp_path, number, status):
    with start(tmp_path, "--story") as p:
        reach(p, "1/9")
        assert len(processes(tmp_path)) >= 3
        p.send_signal(number)
        p.communicate(timeout=30)
    assert p.returncode == status
    nothing_is_left(tmp_path)


def test_what_it_started_ends_with_one_that_is_killed(tmp_path):
    with start(tmp_path, "--story") as p:
        reach(p, "1/9")
        assert len(processes(tmp_path)) >= 3
        p.kill()
        p.communicate(timeout=30)
    lab.wait_until("all it started has ended", lambda: not processes(tmp_path))


def test_a_kept_directory_stays_and_a_wrong_call_starts_nothing(tmp_path):
    for wrong in (["--story", "--nodes", "2"], ["--story", "--chapter", "nonsense"], []):
        status, said = play(tmp_path, *wrong)
        assert status == 2 and "usage" in said, said
    status, said = play(tmp_path, "--story", "--bin", tmp_path)
    assert status == 1 and "tidemark-local" in said and "Traceback" not in said, said
    nothing_is_left(tmp_path)
    status, said = play(tmp_path, "--story", "--chapter", "kill", "--keep")
    (kept,) = tmp_path.glob("tidemark-demo.*")
    assert status == 0 and said.endswith(f"Kept: {kept}\n") and (kept / "centre.db").exists(), said
    shutil.rmtree(kept)


DONE = """
burst 1 500
write 1 mine hello
tidemark wait --in-sync
digests
save 1
write 1 mine later
tidemark wait --in-sync
rollback 1
burst site-1 50
tidemark wait --in-sync
events 20
kill 2
edit 2/x waiting
status
start 2
skew 3 -7
slow 3 100
cut 2
status
heal 2
wipe 3
kill centre
start centre
tidemark wait --in-sync
digests
tidemark record site-1/mine
story conflict
story conflict
quit
burst 1 1
"""

SAID = [
    "500 records were written at site-1: its log ends at 500", "site-1/mine was written at the node: position 501", r"3 nodes in sync, proven equal",
    r"site-1  =  501 records, digest [0-9a-f]{8}… at both ends", "a copy of site-1 was put aside", "site-1 runs on its copy: its log ends at 501, the centre had read to 502",
    r"REWOUND site-1: its database went back", "site-2 was killed", "site-2/x was edited at the centre", r"\nsite-2    down\n", r"\nsite-2  offline",
    r"site-2 runs \(pid", "site-3 runs with a clock that is -7 s off", "the link of site-3 takes 100 ms longer",
    r"\nsite-2    pid \d+, link cut\nsite-3    pid \d+, clock -7 s, link 100 ms slower\n", "site-3 runs on an empty database", "centre was killed", r"centre runs \(pid", "3 nodes in sync",
    r"site-1  =  551 records.*\n.*site-2  =  1 records", '"body":"later"', r"All \d+ checks held", r"All \d+ checks held",
]


def test_by_hand_everything_does_what_it_says(tmp_path):
    status, said = play(tmp_path, "--lab", typed=DONE)
    assert status == 0, said
    rest = said
    for wanted in SAID:  # in this order
        found = re.search(wanted, rest)
        assert found, f"not said: {wanted}\n{said}"
        rest = rest[found.end():]
    assert "burst 1 1" not in rest  # it had ended
    nothing_is_left(tmp_path)


@pytest.mark.parametrize("line, why", [
    ("nonsense", "no command is called nonsense"), ("stop 9", "no node is called 9; there are site-1, site-2, site-3"), ("start 1", "runs already"),
    ("burst 1", "burst NODE COUNT"), ("burst 1 x", "x is no number"), ("burst 1 0", "from 1 to"), ("slow 1 -1", "from 0 to"), ("rollback 1", "save site-1"),
    ("edit site-1", "it is NODE/ID"), ("write 1 'a", "quotation"), ("write 1 a/b", "400"), ("story nonsense", "no chapter"), ("tidemark record site-1/none", "404|not found|Not Found"),
])
def test_a_wrong_command_is_told_changes_nothing_and_the_next_works(tmp_path, line, why):
    status, said = play(tmp_path, "--lab", typed=f"{line}\ntidemark wait --in-sync\ndigests\n")
    assert status == 1 and re.search(why, said) and "Traceback" not in said, said
    assert len(re.findall(r"site-\d  =  0 records", said)) == 3, said


def test_a_capture_needs_tshark(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    status, said = play(tmp_path, "--story", "--capture", tmp_path / "x.pcap")
    assert status == 6 and said == "lab: --capture needs tshark.  As root, run: apt-get install tshark\n"
    nothing_is_left(tmp_path)


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed: deploy/deps nightly")
def test_a_capture_shows_what_went_over_the_links(tmp_path):
    file = tmp_path / "story.pcap"
    status, said = play(tmp_path, "--story", "--chapter", "conflict", "--capture", file)
    assert status == 0 and f"Captured: {file}, {file.stat().st_size} bytes" in said, said
    shown = subprocess.run(["tshark", "-r", file, "-d", "tcp.port==1-65535,http", "-Y", "http.request"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "GET /v1/changes?" in shown and "POST /v1/apply?" in shown, shown[:2000]
    nothing_is_left(tmp_path)
    status, said = play(tmp_path, "--story", "--capture", tmp_path / "none" / "x.pcap")
    assert status == 6 and "no directory" in said
