import pytest

import lab


@pytest.fixture
def site(tmp_path):
    """Makes locals and centres in a directory of the test's own, and ends what it started, by pid."""
    started = []

    class Site:
        path = tmp_path

        def local(self, name, **kw):
            started.append(lab.Local(tmp_path, name, **kw))
            return started[-1].start()

        def centre(self, *locals_, **kw):
            started.insert(0, lab.Centre(tmp_path, locals_, **kw))
            return started[0].start()

        def program(self, p):
            """One that a test made itself."""
            started.insert(0, p)
            return p.start()

    yield Site()
    for p in started:
        if p.process and p.process.poll() is None:
            p.kill()
    for p in started:
        assert "Sanitizer" not in p.log.read_text(), f"{p.name}: see {p.log}"
