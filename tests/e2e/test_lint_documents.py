"""What keeps a document and its translation in step: whatever is changed in one of both alone is said."""
import importlib.machinery
import importlib.util

import pytest

import lab


def load():
    loader = importlib.machinery.SourceFileLoader("documents", str(lab.TOP / "tests" / "lint" / "documents"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("documents", loader))
    loader.exec_module(module)
    return module


ORIGINAL = """# A\n\nSay `this`.\n\n```sh one\nls -l\n```\n\n## B\n\n| x | y |\n|---|---|\n| `a` or `b` | words |\n| c | d |\n"""
RUSSIAN = """# А\n\nСкажите `this`.\n\n```sh one\nls -l\n```\n\n## Б\n\n| икс | игрек |\n|---|---|\n| `a` или `b` | слова |\n| в | г |\n"""


@pytest.mark.parametrize("before, after, fault", [
    ("## Б", "### Б", "other levels from \"B\" on"),
    ("## Б\n", "", "1 headings, the original has 2"),
    ("ls -l", "ls", "another block of code"),
    ("```sh one\nls -l\n```\n", "", "another block of code"),
    ("`a` или `b`", "`a`", "a table's row begins with"),
    ("| в | г |\n", "", "a table's row begins with None"),
    ("`this`", "`that`", "only here ['that'], only in the original ['this']"),
])
def test_a_translation_that_misses_a_change_is_named(before, after, fault):
    documents = load()
    assert list(documents.in_step(ORIGINAL, RUSSIAN)) == []
    assert RUSSIAN.count(before) == 1
    assert any(fault in f for f in documents.in_step(ORIGINAL, RUSSIAN.replace(before, after)))


@pytest.mark.parametrize("text, fault", [
    ("`tests/e2e/test_kill.py`, `test_store*.c`, `unit/test_token.c::test_secrets_of_a_text`", None),
    ("`TIDEMARK_KILLS=1 tests/run e2e/test_kill.py`", None),
    ("`test_page.c`: refuses_every_cut, names_the_line_of_a_cut", None),
    ("`tests/e2e/test_kills.py`", "tests/e2e/test_kills.py: there is no such test"),
    ("`unit/test_kill.py`", "unit/test_kill.py: there is no such test"),
    ("`unit/test_token.c::test_no_secrets`", "unit/test_token.c::test_no_secrets: there is no such test"),
    ("`test_page.c`: refuses_every_cut, refuses_every", "test_page.c::refuses_every: there is no such test"),
])
def test_a_test_that_a_document_names_is_there(text, fault):
    """A claim whose test went, or was called otherwise, is found."""
    assert list(load().tests(text)) == [fault] * (fault is not None)
