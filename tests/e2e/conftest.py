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

        def adopt(self, program):
            """Starts one that the test made itself, and ends it with the others: centres before locals."""
            started.insert(0 if isinstance(program, lab.Centre) else len(started), program)
            return program.start()

    yield Site()
    for p in started:
        if p.process and p.process.poll() is None:
            p.kill()
    for p in started:
        assert "Sanitizer" not in p.log.read_text(), f"{p.name}: see {p.log}"
