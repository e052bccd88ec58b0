"""deploy/cluster: a private PostgreSQL that is made, found, stopped and removed, and leaves nothing."""
import os
import signal
import subprocess

import pytest

import lab
import pg
import proc


@pytest.fixture
def made(tmp_path):
    """Directories and clusters in them, removed at the end."""
    directories, clusters = [], []

    def directory(name):
        directories.append(tmp_path / name)
        return directories[-1]

    def cluster(name, **kw):
        clusters.append(pg.Cluster(directory(name), **kw))
        return clusters[-1]

    directory.cluster = cluster
    yield directory
    for c in clusters:
        c.remove()
    for d in directories:
        pg.run("remove", d)
        assert not d.exists()


def gone(home, pid):
    """Neither a file nor a process is left; one that nobody has waited for yet does not count."""
    return not home.exists() and proc.has_ended(pid)


def test_it_is_reached_by_its_socket_alone_and_keeps_what_it_acknowledged(made):
    c = made.cluster("one")
    url = pg.run("create", c.directory, "shop").stdout.strip()
    assert url == pg.run("url", c.directory, "shop").stdout.strip() == pg.with_database(c.server, "shop")
    assert pg.sql(url, "SHOW listen_addresses") == [""]
    assert (c.home / ".s.PGSQL.5432").is_socket() and c.home.stat().st_mode & 0o077 == 0
    pg.sql(url, "CREATE TABLE t AS SELECT 1 AS n")
    assert pg.run("start", c.directory).stdout.strip() == c.server  # it runs already
    c.stop("immediate")
    with pytest.raises(AssertionError):
        pg.sql(url, "SELECT 1")
    c.stop()  # it is
    c.start()
    assert pg.sql(url, "SELECT n FROM t") == ["1"]
    home, server = c.home, c.pids()[0]
    c.remove()
    assert gone(home, server) and not c.directory.exists()
    c.remove()  # nothing is left to do


def test_a_path_too_long_or_odd_for_a_socket_is_got_round(made):
    for name in ("d" * 100, "a b&c%d"):
        c = made.cluster(name)
        assert pg.sql(c.server, "SELECT 1") == ["1"], name
        assert str(c.directory) not in c.server
        home = c.home
        c.remove()
        assert not home.exists()


def test_durable_and_not(made):
    """A cluster is quick and loses at a power cut, unless --durable is asked for."""
    assert made.cluster("quick").sql("SHOW fsync") == ["off"]
    r = pg.run("start", "--durable", made("durable"))
    assert pg.sql(r.stdout.strip(), "SHOW fsync") == ["on"]


def test_what_is_held_goes_with_its_holder(made):
    for how in ("input ends", "killed"):
        held = subprocess.Popen(["/bin/sh", "-c", f'"{pg.CLUSTER}" hold "$0"; :', str(made(how))], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, start_new_session=True)
        url = held.stdout.readline().strip()
        assert pg.sql(url, "SELECT 1") == ["1"]
        c = made.cluster(how)  # it is there
        home, server = c.home, c.pids()[0]
        if how == "killed":
            os.killpg(held.pid, signal.SIGTERM)
        held.stdin.close()
        lab.wait_until("the cluster is gone", lambda: gone(home, server))
        held.wait(20)
        held.stdout.close()


def test_a_standby_follows_and_is_promoted(made):
    a = made.cluster("a")
    a.sql("CREATE TABLE t AS SELECT 1 AS n")
    b = made.cluster("b", standby_of=a)
    assert b.sql("SELECT pg_is_in_recovery()") == ["t"]
    a.sql("INSERT INTO t VALUES (2)")
    lab.wait_until("the standby has it", lambda: b.sql("SELECT count(*) FROM t") == ["2"])
    assert a.sql("SELECT application_name, state FROM pg_stat_replication") == ["b|streaming"]
    a.stop("immediate")
    b.promote()
    b.sql("INSERT INTO t VALUES (3)")
    assert b.sql("SELECT count(*) FROM t") == ["3"]


def test_what_it_refuses(made, tmp_path):
    """Directories that are none of its own, and wrong words, are refused and stay as they are."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("x")
    for args, status, words in (
            (["start", tmp_path / "mine"], 6, "neither empty"), (["remove", tmp_path / "mine"], 0, ""),
            (["standby", tmp_path / "s", tmp_path / "mine"], 6, "no cluster"), (["url", tmp_path / "mine"], 6, "no cluster"),
            (["stop", tmp_path / "mine"], 6, "no cluster"), (["promote", tmp_path / "nothing"], 6, "no cluster"),
            (["create", tmp_path / "mine"], 2, "words"), (["start"], 2, "words"), (["start", "--fast"], 2, "directory"),
            (["dance", tmp_path], 2, "Usage"), ([], 2, "Usage"), (["stop", tmp_path / "mine", "slowly"], 2, "slowly")):
        r = pg.run(*args, check=False)
        assert r.returncode == status and words in r.stderr, (args, r)
    assert (tmp_path / "mine" / "precious").read_text() == "x" and not (tmp_path / "s").exists()
    c = made.cluster("c")
    assert pg.run("create", c.directory, "a b", check=False).returncode == 2
    assert "already exists" in pg.run("create", c.directory, "postgres", check=False).stderr
    assert pg.run("standby", c.directory, c.directory, check=False).returncode == 6
    assert pg.run("promote", c.directory, check=False).returncode == 1  # it is no standby
    c.stop()
    assert pg.run("promote", c.directory, check=False).returncode == 6
    r = pg.run("standby", tmp_path / "s", c.directory, check=False)
    assert r.returncode == 1 and "pg_basebackup" in r.stderr and not (tmp_path / "s").exists()


def test_a_server_that_does_not_start_says_why(made):
    c = made.cluster("c")
    c.stop()
    with open(c.home / "data" / "postgresql.conf", "a", encoding="ascii") as conf:
        conf.write("nonsense = 1\n")
    r = pg.run("start", c.directory, check=False)
    assert r.returncode == 1 and "nonsense" in r.stderr
