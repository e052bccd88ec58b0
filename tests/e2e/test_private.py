"""What a program keeps to itself: its files, its memory, its rights; and the secrets that it takes, or refuses to."""
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import canary
import lab
import proc

NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")


@pytest.fixture
def umask():
    """A usual one, and files that anybody may read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def home():
    """A directory of nobody's, with the programs in it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-nobody."))
    for name in ("tidemark-local", "tidemark-central"):
        shutil.copy(lab.BIN / name, path)
    for p in (path, *path.iterdir()):
        os.chown(p, NOBODY, NOBODY)
    yield path
    shutil.rmtree(path)


class Nobody(lab.Program):
    """A local or a centre as a user without rights, in its own directory: there a core dump would be."""

    def __init__(self, home, name, *options):
        super().__init__(home, name)
        self.options = options

    def argv(self):
        return ["env", f"--chdir={self.directory}", "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "prlimit", "--core=unlimited:unlimited",
                self.directory / f"tidemark-{self.name}", "--listen", "127.0.0.1:0", *self.options]


def local(home, *options):
    return Nobody(home, "local", "--node", "a", "--db", home / "a.db", *options)


def centre(home, *options):
    return Nobody(home, "central", "--store", f"sqlite:{home}/centre.db", *options)


def test_the_files_of_a_program_are_for_its_user_alone(site, umask):
    """Whatever the umask was."""
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "x", "body": 1})
    centre.in_sync("a")
    centre.tool("backup", site.path / "copy.db")
    made = [f for f in site.path.iterdir() if f.suffix != ".log"]
    assert {f.name for f in made} >= {"a.db", "a.db-wal", "centre.db", "centre.db-wal", "copy.db"}, made
    assert not {f.name: oct(f.stat().st_mode) for f in made if f.stat().st_mode & 0o077}
    # what a command writes is its user's to give away
    centre.tool("export", site.path / "out.ndjson")
    assert stat.S_IMODE((site.path / "out.ndjson").stat().st_mode) == 0o644


@root_only
@pytest.mark.skipif(lab.sanitized(), reason="a sanitizer has its own way with core dumps")
def test_the_memory_of_a_program_is_for_nobody_else_of_its_user(home, site):
    """Nothing of it is left by a crash, and the kernel says that only root may look into it; but for who asks for that by name."""
    for make in (local, centre):
        for options, dumps in (((), False), (("--core-dumps",), True)):
            p = site.adopt(make(home, *options))
            assert os.stat(f"/proc/{p.process.pid}/environ").st_uid == (NOBODY if dumps else 0)
            limit = re.search(r"core file size +(\S+)", pathlib.Path(f"/proc/{p.process.pid}/limits").read_text())[1]
            assert limit == ("unlimited" if dumps else "0")
            assert proc.status(p.process.pid, "NoNewPrivs") == "1"
            p.process.send_signal(signal.SIGABRT)
            _, status = os.waitpid(p.process.pid, 0)
            p.process.returncode = -signal.SIGABRT
            assert os.WTERMSIG(status) == signal.SIGABRT and os.WCOREDUMP(status) == dumps, (make, options)


@root_only
def test_a_command_that_is_told_may_still_gain_a_right(home, site):
    """Sendmail does, by the mode of its file; so a centre that has one to tell does not give that up."""
    p = site.adopt(centre(home, "--notify-command", "/bin/true"))
    assert proc.status(p.process.pid, "NoNewPrivs") == "0"


@root_only
def test_who_runs_it_as_root_is_warned(home, site):
    a, b = site.local("a"), site.adopt(local(home))
    assert re.search(r"^\S+ warn root reason=\"it runs as root", a.log_text(), re.M), a.log_text()
    assert " root " not in b.log_text()
    assert re.search(r"^\S+ warn root ", site.centre(a).log_text(), re.M)


def secrets_of_a_program(path):
    """(its name, what it is started with, the option of a secret file)"""
    local = ["tidemark-local", "--node", "a", "--db", path / "a.db", "--listen", "127.0.0.1:0"]
    centre = ["tidemark-central", "--store", f"sqlite:{path}/c.db", "--listen", "127.0.0.1:0"]
    return [(local, "--token-file"), (local, "--app-token-file"), (centre, "--secret-file"),
            ([*centre, "--notify-url", "http://127.0.0.1:9/x"], "--notify-secret-file"),
            (["tidemark", "--central", "http://127.0.0.1:9", "status"], "--token-file"),
            (["tidemark-local", "import", "--to", "http://127.0.0.1:9", "/dev/null"], "--app-token-file")]


GOOD = "a-secret-of-some-length"


@pytest.mark.parametrize("text, mode, words", [
    (GOOD, 0o644, "readable by everybody; run: chmod"), (GOOD, 0o602, "may change it; run: chmod"), (GOOD, 0o620, "may change it; run: chmod"),
    ("", 0o600, "empty, and a secret has 16 characters at least; to make one: head"), ("\n", 0o600, "to make one: head"),
    (GOOD[:15], 0o600, "too short, and a secret has 16 characters at least; to make one: head"), ("two words of some length", 0o600, "neither one word"),
    ("x" * 5000, 0o600, "larger than")], ids=["all-read", "all-write", "group-writes", "empty", "line-end", "short", "two-words", "large"])
def test_a_secret_that_is_none_is_refused(tmp_path, text, mode, words):
    """By each program, with what to do; nothing was made, and the secret is not said."""
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(mode)
    for argv, option in secrets_of_a_program(tmp_path):
        r = subprocess.run([lab.BIN / argv[0], *argv[1:], option, file], capture_output=True, text=True, timeout=20)
        assert r.returncode == 6 and words in r.stderr and str(file) in r.stderr, (argv, option, r)
        assert len(text) < 2 or text not in r.stderr
    assert [f.name for f in tmp_path.iterdir()] == ["secret"]
    file.chmod(0o600)


def test_a_group_may_read_a_secret_of_root_only(tmp_path):
    """As systemd hands over credentials; one of anybody else's is refused."""
    file = tmp_path / "secret"
    file.write_text(GOOD)
    file.chmod(0o640)
    for owner, refused in ((0, False), (NOBODY, True)) if os.geteuid() == 0 else ((os.geteuid(), True),):
        os.chown(file, owner, -1)
        for argv, option in secrets_of_a_program(tmp_path)[4:]:  # those that end by themselves
            r = subprocess.run([lab.BIN / argv[0], *argv[1:], option, file], capture_output=True, text=True, timeout=20)
            assert r.returncode == (6 if refused else 3) and ("readable by its group" in r.stderr) == refused, (owner, r)
    file.chmod(0o600)


@pytest.mark.parametrize("program, missing", [("tidemark-central", ["secret"]), ("tidemark-local", ["token", "app-token"])])
def test_beyond_loopback_nothing_listens_without_secrets(tmp_path, program, missing):
    """Each that is missing is named, one after another; with all of them the same settings are right."""
    given = [] if program == "tidemark-central" else ["--node", "a", "--db", tmp_path / "a.db"]
    file = lab.private_file(tmp_path / "secret", canary.secret() + "\n")

    def check(listen):
        return subprocess.run([lab.BIN / program, "--check-config", "--listen", listen, "--allow-plain-http", *given], capture_output=True, text=True, timeout=20)

    assert check("127.0.0.1:0").returncode == 0
    for one in missing:
        for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
            r = check(listen)
            assert r.returncode == 6 and f"--listen {listen}: give --{one}-file; without it only a loopback address is allowed" in r.stderr, r
        given += [f"--{one}-file", file]
    assert check("0.0.0.0:0").returncode == 0


def test_a_password_is_no_argument(tmp_path):
    """Everybody could read it in the list of processes, or in a file that is open to all. Elsewhere it is taken."""
    url = f"postgresql://tidemark:{GOOD}@127.0.0.1:9/x"
    config = tmp_path / "central.conf"
    config.write_text(f"store = {url}\nlisten = 127.0.0.1:0\n")

    def start(*args, **env):
        return subprocess.run([lab.BIN / "tidemark-central", "--check-config", *args], capture_output=True, text=True, timeout=20, env={**os.environ, **env})

    config.chmod(0o644)
    for r, words in ((start("--store", url), "list of processes"), (start(f"--store={url}"), "list of processes"),
                     (start("--store", "postgresql://h/d?password=" + GOOD), "list of processes"), (start("--config", config), "mode 0600")):
        assert r.returncode == 2 and words in r.stderr and "PGPASSFILE" in r.stderr and GOOD not in r.stderr + r.stdout, r
    config.chmod(0o600)
    for r in (start("--config", config), start(TIDEMARK_STORE=url), start("--store", "postgresql://tidemark@127.0.0.1:9/x")):
        assert r.returncode == 0, r
    r = subprocess.run([lab.BIN / "tidemark-central", "--config", config, "--print-config"], capture_output=True, text=True, timeout=20)
    assert "postgresql://tidemark:***@127.0.0.1" in r.stdout and GOOD not in r.stdout
    # the arguments that were refused, and the environment, are what this test was about; and nothing but those
    assert {f.split(" of ")[0] for f in canary.end()} == {"arguments", "environment"}
