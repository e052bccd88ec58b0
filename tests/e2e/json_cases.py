"""The table tests/support/json_cases, and the public corpus where TIDEMARK_JSON_CORPUS names it: [(verdict, text)]."""
import os
import pathlib
import re

import lab

TABLE = lab.TOP / "tests" / "support" / "json_cases"
RULES = ("y_object_escaped_null_in_key.json", "y_string_null_escape.json")


def expand(text):
    def piece(m):
        if m[1] is not None:
            return int(m[1]) * m[2]
        return bytes([int(m[3], 16)])

    return re.sub(rb"<(?:(\d+)\*([^>]*)|([0-9a-f]{2}))>", piece, text)


def table():
    cases = []
    for line in TABLE.read_bytes().splitlines():
        if line and not line.startswith(b"#"):
            verdict, _, text = line.partition(b" ")
            cases.append((verdict.decode(), expand(text)))
    return cases


def corpus():
    folder = os.environ.get("TIDEMARK_JSON_CORPUS")
    cases = []
    for f in sorted(pathlib.Path(folder).glob("[yni]_*")) if folder else []:
        takes = f.name[0] == "y" or f.name.startswith("i_number")
        cases.append(("more" if f.name in RULES else "yes" if takes else "no", f.read_bytes()))
    return cases


def cases():
    found = table() + corpus()
    assert len(found) > 400
    return found
