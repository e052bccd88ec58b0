"""What a local takes as JSON, Python, PostgreSQL and SQLite take too, and the other way round, but for what is named here.

The texts are the table's and mutations of them; a PUT under a condition that does not hold tells the verdict and writes nothing:
400 bad_json is no, 412 is yes."""
import json
import os
import random
import re
import sqlite3
import subprocess

import json_cases
import lab
from test_json_doors import Line

SEED = int(os.environ.get("TIDEMARK_SEED") or random.randrange(1 << 31))
TEXTS = int(os.environ.get("TIDEMARK_JSON_TEXTS") or 6000)
PIECES = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\t", b"0", b"1", b"-", b"+", b".", b"e", b"E", b"null", b"true",
          b"false", b"\\u", b"\\u0000", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\x00", b"\x0b", b"\x7f", b"\x80", b"\xc3\xa9", b"\xc0\xaf",
          b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf4\x90\x80\x80", b"\xff", b"/", b"'", b"x"]


def blanks(chance):
    return bytes(chance.choice(b" \t\n\r") for _ in range(chance.choice((0, 0, 0, 1, 2))))


def document(chance, seeds, depth=0):
    """A text of values of the table."""
    kind = chance.randrange(6 if depth < 4 else 3)
    if kind < 3:
        return blanks(chance) + chance.choice(seeds) + blanks(chance)
    members = [document(chance, seeds, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 3:
        return b"[" + b",".join(members) + b"]"
    return b"{" + b",".join(b'%s"%s"%s:%s' % (blanks(chance), chance.choice((b"", b"k", b"\xc3\xa9", b"\\u00e9", b"\\\\")), blanks(chance), m)
                            for m in members) + b"}"


def mutations(chance, seeds, good, n):
    """Texts of the table and documents of such, cut, joined, with bytes and pieces put in, taken out and changed."""
    for _ in range(n):
        text = bytearray(document(chance, good) if chance.randrange(2) else chance.choice(seeds))
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            at = chance.randrange(len(text) + 1)
            match chance.randrange(6):
                case 0: text[at:at] = chance.choice(PIECES)
                case 1: del text[at:at + chance.randrange(1, 3)]
                case 2: text[at:at + 1] = chance.choice(PIECES)
                case 3: text[at:at + 1] = bytes([chance.randrange(256)])
                case 4: text = text[:at]
                case 5: text[at:at] = chance.choice(seeds)
        yield bytes(text)


def ours(texts, tmp_path):
    """Each one's verdict: "yes", or why not."""
    local = lab.Local(tmp_path, "a").start()
    try:
        line = Line(local)
        for text in texts:
            line.conn.request("PUT", "/v1/records/x", body=b'{"type":"t","body":%s}' % text, headers={"If-Match": '"' + "0" * 32 + '"'})
            r = line.conn.getresponse()
            answer = json.loads(r.read())
            assert (r.status, answer["code"]) in ((412, "precondition_failed"), (400, "bad_json")), (text, answer)
            yield "yes" if r.status == 412 else answer["detail"]
        assert local.status()["head_seq"] == 0
    finally:
        local.kill()


def refuse(word):
    raise ValueError(word)


def python(text):
    try:
        json.loads(text.decode(), parse_int=str, parse_float=str, parse_constant=refuse)
        return True
    except (ValueError, RecursionError):
        return False


def sqlite(texts):
    db = sqlite3.connect(":memory:")
    return [bool(db.execute("SELECT json_valid(CAST(? AS TEXT))", (t,)).fetchone()[0]) for t in texts]


SCRIPT = """
CREATE FUNCTION ok(b bytea) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM convert_from(b, 'UTF8')::json; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
CREATE TEMP TABLE texts (n serial, b bytea);
COPY texts (b) FROM STDIN;
%s\\.
SELECT CASE WHEN ok(b) THEN 1 ELSE 0 END FROM texts ORDER BY n;
"""


def postgres(texts, database):
    rows = "".join("\\\\x%s\n" % t.hex() for t in texts)
    r = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database.url], input=SCRIPT % rows, capture_output=True, text=True, timeout=300)
    assert r.returncode == 0, r.stderr
    verdicts = [line == "1" for line in r.stdout.split()]
    assert len(verdicts) == len(texts)
    return verdicts


def is_utf8(text):
    try:
        text.decode()
        return True
    except UnicodeDecodeError:
        return False


RULES = ("\\u0000 is not allowed", "a lone surrogate", "nested too deeply")
# {other: {what we take and it does not, what it takes and we do not}}: each must come to be seen.
KNOWN = {
    "python": ({}, {}),
    "postgres": ({}, {}),
    "sqlite": ({}, {
        "it ends at a NUL": lambda t: b"\x00" in t,
        "it looks at no UTF-8": lambda t: not is_utf8(t),
        "a key may be what ends with a string": lambda t: re.search(rb"[{,]\s*[\[{]", t),
    }),
}


def test_others_agree(tmp_path, databases):
    """Other readers give each mutated text the same verdict, or it is explained."""
    chance = random.Random(SEED)
    print("TIDEMARK_SEED", SEED)
    table = [t for _, t in json_cases.cases()] + [b'{["a"]:1}']  # which mutations make now and then
    small = [(v, t) for v, t in json_cases.table() if len(t) < 300]
    texts = list(dict.fromkeys(table + list(mutations(chance, [t for _, t in small], [t for v, t in small if v == "yes"], TEXTS))))
    verdicts = list(ours(texts, tmp_path))
    taken = sum(v == "yes" for v in verdicts)
    assert 0.1 < taken / len(texts) < 0.9, taken
    others = {"python": [python(t) for t in texts], "sqlite": sqlite(texts), "postgres": postgres(texts, databases())}
    wrong, seen = [], {}
    for name, theirs in others.items():
        for text, we, they in zip(texts, verdicts, theirs):
            if (we == "yes") == they or any(rule in we for rule in RULES):
                continue
            why = [w for w, holds in KNOWN[name][we != "yes"].items() if holds(text)]
            if why:
                seen[name, why[0]] = seen.get((name, why[0]), 0) + 1
            else:
                wrong.append((name, they, we, text[:120]))
    print(len(texts), "texts,", taken, "taken;", seen)
    assert not wrong, wrong[:20]
    assert seen.keys() == {(name, w) for name, both in KNOWN.items() for known in both for w in known}
