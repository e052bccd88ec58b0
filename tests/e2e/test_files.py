"""Database files that are deleted, replaced, cut, damaged under a running program or before its start: nothing is
acknowledged that is not in the file of that name, it is noticed, it is said what to do, and both ends come to equality again."""
import os
import pathlib
import shutil
import sqlite3
import subprocess

import pytest

import lab


class End:
    """One of the two programs, and its database file."""

    def __init__(self, program, path, write, other):
        self.program, self.path, self.write, self.other = program, pathlib.Path(path), write, other

    def file(self, ending=""):
        return pathlib.Path(str(self.path) + ending)


@pytest.fixture(params=["local", "centre"])
def end(request, site):
    """A local and a centre in step, of which one will have an accident."""
    local = site.local("a")
    centre = site.centre(local)
    local.write(*({"id": f"r{i}", "body": i} for i in range(20)))
    centre.in_sync("a")
    if request.param == "local":
        return End(local, local.db, lambda i: local.post("/v1/records", {"id": i, "type": "t", "body": 1}), centre)
    return End(centre, centre.store.path, lambda i: lab.call(f"{centre.url}/v1/records/a/{i}", "PUT", '{"type":"t","body":1}'), local)


def copy_of(path, to):
    """As `cp` makes one, of a database in use."""
    for ending in ("", "-wal"):
        shutil.copy(str(path) + ending, str(to) + ending)


def removed(end):
    end.file().unlink()


def all_removed(end):
    for f in end.path.parent.glob(end.path.name + "*"):
        f.unlink()


def log_removed(end):
    end.file("-wal").unlink()


def index_removed(end):
    end.file("-shm").unlink()


def lock_removed(end):
    end.file(".lock").unlink()


def log_replaced(end):
    shutil.copy(end.file("-wal"), end.file(".other"))
    os.replace(end.file(".other"), end.file("-wal"))


def replaced_by_itself(end):
    copy_of(end.path, end.file(".other"))
    os.replace(end.file(".other"), end.path)


def replaced_by_an_older_copy(end):
    copy_of(end.path, end.file(".older"))
    assert end.write("later").status == 201
    os.replace(end.file(".older"), end.path)
    os.replace(end.file(".older-wal"), end.file("-wal"))


def replaced_by_something_else(end):
    end.file(".other").write_bytes(b"none of yours " * 1000)
    os.replace(end.file(".other"), end.path)


ACCIDENTS = [removed, all_removed, log_removed, index_removed, lock_removed, log_replaced, replaced_by_itself,
             replaced_by_an_older_copy, replaced_by_something_else]


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda a: a.__name__)
def test_a_file_that_is_not_there_any_more_takes_no_write_and_ends_its_program(end, accident):
    program = end.program
    accident(end)
    r = None
    try:
        r = end.write("into-the-void")
    except OSError:
        pass  # it noticed first, and has ended
    assert r is None or r.status in (500, 503), r.body
    assert program.process.wait(10) == 1
    assert program.log_text().count("database.broken") == 1 and "start " in program.log_text()
    assert ("a", "into-the-void") not in end.other.records(*(["a"] if end.other.name == "centre" else []))


@pytest.mark.parametrize("which", [removed, index_removed], ids=lambda a: a.__name__)
def test_nobody_needs_to_write_for_it_to_be_noticed(end, which):
    which(end)
    assert end.program.process.wait(10) == 1
    assert "database.broken" in end.program.log_text()


def test_a_program_that_ended_so_is_started_again_and_all_is_as_before(site):
    local = site.local("a")
    centre = site.centre(local)
    local.write(*({"id": f"r{i}", "body": i} for i in range(20)))
    centre.in_sync("a")
    local.db.unlink()
    assert local.process.wait(10) == 1
    local.wipe()  # what is left of it
    local.start()
    centre.in_sync("a")
    assert centre.events("a", "WIPED") and lab.same_records(local, centre) == 20

    centre.store.path.unlink()
    assert centre.process.wait(10) == 1
    for f in centre.store.files():
        f.unlink()
    centre.start()  # a new one: all of it is pulled
    centre.in_sync("a")
    assert lab.same_records(local, centre) == 20
    assert len(local.records()) == 20


def test_a_copy_of_another_node_is_refused_and_left_alone(site):
    a, b = site.local("a"), site.local("b")
    a.stop(), b.stop()
    shutil.copy(b.db, a.db)
    before = a.db.read_bytes()
    a.spawn()
    assert a.process.wait(10) == 6
    assert "node b" in a.log_text() and "--db" in a.log_text()
    assert a.db.read_bytes() == before


def read_only(program, path):
    """The program's command in a mount namespace where that is a read-only place."""
    import crowd
    argv = program.argv()
    bind = f"mount --bind '{path}' '{path}' && mount -o remount,bind,ro '{path}'"
    return [*crowd.unshared(), "sh", "-c", bind + ' && exec "$@"', "sh", *map(str, argv)]


def test_a_read_only_place_is_refused_in_words(site, tmp_path):
    local = site.local("a")
    local.write({"id": "x", "body": 1})
    local.stop()
    r = subprocess.run(read_only(local, local.directory), capture_output=True, text=True, timeout=20)
    assert r.returncode == 6 and "ead-only" in r.stderr, r


# --- damage ---

PAGE = 4096


def damage(path, how):
    """To a stopped database in one file."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        roots = dict(db.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0"))
    db.close()
    data = bytearray(path.read_bytes())
    how(data, roots)
    path.write_bytes(data)


def in_the_header(data, roots):
    data[0:100] = bytes(range(100, 200))


def in_the_schema(data, roots):
    data[110:4000] = bytes(3890)


def in_the_records(data, roots):
    at = (roots["records"] - 1) * PAGE
    data[at:at + PAGE] = bytes(PAGE)


def cut_short(data, roots):
    del data[len(data) // 2:]


@pytest.mark.parametrize("how", [in_the_header, in_the_schema, cut_short, in_the_records], ids=lambda h: h.__name__)
@pytest.mark.parametrize("which", ["local", "centre"])
def test_damage_is_said_at_the_start_or_at_the_first_reading(site, which, how):
    local = site.local("a")
    centre = site.centre(local)
    local.write(*({"id": f"r{i}", "body": "x" * 200} for i in range(200)))
    centre.in_sync("a")
    program, path = (local, local.db) if which == "local" else (centre, centre.store.path)
    program.stop()
    damage(path, how)
    program.spawn()
    if lab.wait_until("it listens or ends", lambda: program.process.poll() or "listening" in program.log_text()) is True:
        program.listens()
        assert centre.tool("verify", "a", "--timeout", "3s", check=False).returncode != 0
    else:
        assert program.process.wait() == 6
    said = [line for line in program.log_text().splitlines() if " error " in line]
    assert any(words in line for line in said for words in ("malformed", "not a database")), said


def test_a_byte_that_a_disk_changed_is_found_by_verify_and_named(site):
    local = site.local("a")
    centre = site.centre(local)
    local.write(*({"id": f"r{i}", "body": f"value-{i}-"} for i in range(200)))
    centre.in_sync("a")
    local.stop()

    def flip(data, roots):
        data[data.find(b"value-150-") + 2] ^= 1

    damage(local.db, flip)
    local.start()
    centre.in_sync("a")  # by the counters: nobody has read it
    assert centre.tool("verify", "a", "--timeout", "3s", check=False).returncode != 0
    lab.wait_until("the local names it", lambda: "database.damaged" in local.log_text())
    assert "r150" in local.log_text()
    assert local.get("/readyz").status == 503
    local.stop()
    local.wipe()  # the cure: what the centre holds is pushed back
    local.start()
    centre.in_sync("a")
    assert lab.same_records(local, centre) == 200
    assert local.records()[("a", "r150")]["body"] == "value-150-"


def test_a_log_that_loses_what_it_served_is_repaired_once_and_then_given_up(site):
    """It was answered by `rewound`, renamed and read again at each poll, for ever."""
    local = site.local("a")
    centre = site.centre(local)
    local.write(*({"id": f"r{i}", "body": i} for i in range(20)))
    centre.in_sync("a")

    def lose():  # as a damaged page does, but at a place of our choosing
        with sqlite3.connect(local.db, timeout=20) as db:
            db.execute("UPDATE state SET head = randomblob(16)")
        db.close()

    lose()
    lab.wait_until("it is noticed", lambda: len(centre.events("a", "REWOUND")) == 1)
    centre.in_sync("a")
    lab.wait_until("the log says so", lambda: "database.changed" in local.log_text())
    assert local.get("/readyz").status == 200
    lose()
    assert local.process.wait(20) == 1
    assert "lost it again" in local.log_text()
    local.start()  # what it says now is what it is
    centre.in_sync("a")
    assert lab.same_records(local, centre) == 20
