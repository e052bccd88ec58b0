"""Programs that are suspended and woken, and a second one where there may be only one."""
import signal
import subprocess

import pytest

import lab
import proc


def is_stopped(program):
    return proc.stat(program.process.pid)[0] == "T"


class Suspended:
    """with Suspended(program): it stands still."""

    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.program.process.send_signal(signal.SIGSTOP)
        lab.wait_until("it is suspended", lambda: is_stopped(self.program))

    def __exit__(self, *_):
        self.program.process.send_signal(signal.SIGCONT)


@pytest.mark.both_stores
def test_a_centre_that_slept_while_a_local_was_wiped_believes_no_old_answer(site):
    """What came in meanwhile answers questions about a database that is gone."""
    local, other = site.local("a"), site.local("b")
    centre = site.centre(local, other)
    local.write(*({"id": f"r{i}", "body": i} for i in range(50)))
    centre.in_sync()
    for turn in range(3):
        local.write({"id": f"news{turn}", "body": 1})  # answers the parked question, or is on its way
        centre.in_sync("a")
        with Suspended(centre):
            lost = local.write({"id": f"lost{turn}", "body": 1})  # acknowledged, and wiped before it was pulled
            other.write({"id": f"kept{turn}", "body": turn})
            local.kill()
            local.wipe()
            local.start()
            local.write({"id": f"new{turn}", "body": turn})
        centre.in_sync()
        assert lab.same_records(other, centre) == turn + 1
        held = local.records()
        lab.same_records(local, centre)
        assert {("a", f"new{i}") for i in range(turn + 1)} <= held.keys()
        assert {("a", f"r{i}") for i in range(50)} <= held.keys() and lost
        assert len(centre.events("a", "WIPED")) == turn + 1
    assert not centre.events("a", "CLONED") and not centre.events("a", "DIVERGED")


def second(*argv):
    return subprocess.run([*map(str, argv)], capture_output=True, text=True, timeout=40)


@pytest.mark.both_stores
def test_a_second_centre_on_a_store_is_refused_also_while_the_first_sleeps(site):
    local = site.local("a")
    centre = site.centre(local)
    centre.in_sync("a")
    argv = [*centre.argv(), "--listen", "127.0.0.1:0"]
    with Suspended(centre):
        r = second(*argv)
        assert r.returncode == 6 and "in use by another" in r.stderr, r
        local.write({"id": "meanwhile", "body": 1})
    centre.in_sync("a")
    assert lab.same_records(local, centre) == 1
    assert "store.failed" not in centre.log_text()


def test_a_second_local_on_a_database_is_refused_also_while_the_first_sleeps(site):
    local = site.local("a")
    with Suspended(local):
        r = second(*local.argv())
        assert r.returncode == 6 and "in use by another process" in r.stderr, r
    local.write({"id": "x", "body": 1})


def test_two_centres_with_stores_of_their_own_share_a_local(site, tmp_path):
    """Each sees the other's edits come from the local; neither loses any."""
    local = site.local("a")
    local.write({"id": "first", "body": 0})
    one = site.centre(local, name="one")
    two = site.adopt(lab.Centre(tmp_path, [local], name="two"))
    for i in range(2):
        for centre in (one, two):
            centre.tool("put", f"a/{centre.name}-{i}", "--type", "t", "-", input=str(i))
            centre.tool("put", "a/shared", "--type", "t", "-", input=f'"{centre.name} {i}"')
            centre.in_sync("a")
        one.in_sync("a"), two.in_sync("a")
    assert lab.same_records(local, one) == lab.same_records(local, two) == 6
    assert local.records()[("a", "shared")]["body"] == "two 1"
    with Suspended(one):
        two.tool("put", "a/late", "--type", "t", "-", input="1")
        two.in_sync("a")
    one.in_sync("a")
    assert lab.same_records(local, one) == lab.same_records(local, two) == 7
    for centre in (one, two):
        assert not centre.events("a", "DIVERGED") and not centre.events("a", "CLONED") and not centre.events("a", "WIPED")
