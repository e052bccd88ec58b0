"""The page that `make lint-report` writes: what a check says stands there as text, with the source around it."""
import importlib.machinery
import importlib.util

import lab


def load():
    loader = importlib.machinery.SourceFileLoader("report", str(lab.TOP / "tests" / "lint" / "report"))
    spec = importlib.util.spec_from_loader("report", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_a_finding_is_shown_with_its_source_and_nothing_of_it_is_markup():
    report = load()
    good = report.Result("tree", True, "", 0.1)
    bad = report.Result("tidy", False, "shared/err.h:3:1: warning: <script>alert(1)</script> [x]\nand more\n", 2)
    page = report.page([good, bad], "abc <b>")
    assert "1 of 2 checks failed" in page and "<script>" not in page and "abc &lt;b&gt;" in page
    line = (lab.TOP / "shared/err.h").read_text().splitlines()[2]
    assert bad.findings == [("shared/err.h", 3, "warning: <script>alert(1)</script> [x]")]
    assert f"<mark>    3  {report.html.escape(line)}</mark>" in page
    assert report.excerpt("../../etc/passwd", 1) == "" and report.excerpt("no/such", 1) == ""
    assert "2 checks passed" in report.page([good, good], "")
