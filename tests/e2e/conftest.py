import pathlib
import shutil
import tempfile
import uuid

import pytest

import canary
import guide
import lab
import netns
import pg
import wire


canary.begin()


@pytest.fixture(autouse=True)
def no_secret_leaks():
    """Fails a test of which a program said a secret."""
    yield
    found = canary.end()
    assert not found, "\n".join(found)


@pytest.fixture(autouse=True, scope="module")
def secrets_of_a_module():
    """Also what its own fixtures' programs said, up to their end."""
    yield
    found = canary.end()
    canary.forget()
    assert not found, "\n".join(found)


def pytest_sessionfinish(session):
    canary.session_finish(session)


def pytest_configure(config):
    config.addinivalue_line("markers", "both_stores: the centre's promises; runs on SQLite and on PostgreSQL")
    config.addinivalue_line("markers", "alone: says how quick something is; tests/run lets nothing else run beside it")


def pytest_generate_tests(metafunc):
    if metafunc.definition.get_closest_marker("both_stores"):
        metafunc.parametrize("store_kind", ["sqlite", "postgres"], scope="module")


@pytest.fixture(scope="module")
def store_kind():
    return "sqlite"


@pytest.fixture(scope="module")
def databases():
    """Makes databases in the run's PostgreSQL, and drops them."""
    made = []

    def make():
        made.append(pg.Database("test_" + uuid.uuid4().hex))
        return made[-1]

    yield make
    for d in made:
        d.drop()


@pytest.fixture
def site(tmp_path, store_kind, databases):
    """Makes locals and centres in a directory of the test's own, and ends what it started, by pid."""
    started, wires = [], []

    class Site:
        path = tmp_path

        def local(self, name, **kw):
            started.append(lab.Local(tmp_path, name, **kw))
            return started[-1].start()

        def centre(self, *locals_, **kw):
            if store_kind == "postgres":
                kw.setdefault("store", databases())
            started.insert(0, lab.Centre(tmp_path, locals_, **kw))
            return started[0].start()

        def wire(self, local):
            """Between a centre and this local: give it to the centre in its place."""
            wires.append(wire.Wire(local))
            return wires[-1]

        def adopt(self, program):
            """Starts one that the test made itself, and ends it with the others: centres before locals."""
            started.insert(0 if isinstance(program, lab.Centre) else len(started), program)
            return program.start()

    yield Site()
    for p in started:
        if p.process and p.process.poll() is None:
            p.kill()
    for w in wires:
        w.close()
    for p in started:
        assert "Sanitizer" not in p.log.read_text(), f"{p.name}: see {p.log}"


@pytest.fixture(scope="module")
def cable():
    """Between the centre's network and the site's (netns)."""
    try:
        made = netns.Cable()
    except (netns.Refused, OSError) as why:
        pytest.skip(f"no network namespaces here: {why}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def chromium():
    """One for all tests of this process that want one."""
    import page  # only where it is needed: it takes a while
    b = page.Browser()
    yield b
    b.quit()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if call.when == "call":
        item.call_failed = report.failed


@pytest.fixture
def browser(request, site, chromium):
    """On an empty page, and gone from it before the site ends; fails the test where the console has an error, or the page's policy was violated."""
    chromium.begin()
    yield chromium
    chromium.end(request.node.name, getattr(request.node, "call_failed", False))


@pytest.fixture
def machine():
    """For what a guide says: guide.Machine."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-guide."))
    top.chmod(0o755)  # PostgreSQL's user is to reach its archive
    m = guide.Machine(top)
    m.backups.chmod(0o755)
    (m.backups / "wal").chmod(0o777)
    yield m
    m.end()
    shutil.rmtree(top)
