"""Real data: every record of Debian's iso-codes, posted as the files stand, is at the centre byte for byte."""
import json
import pathlib
import subprocess

import pytest

pytestmark = pytest.mark.both_stores

ISO = pathlib.Path("/usr/share/iso-codes/json")


def spans(text):
    """The members of the one array in the file as their own bytes, by a scan that re-encodes nothing."""
    decoder = json.JSONDecoder()
    at = text.index("[") + 1
    while True:
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] == "]":
            return
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end


def on_one_line(text):
    """Line ends between tokens become blanks when a record is born; none stands inside a JSON text."""
    return text.replace("\r", " ").replace("\n", " ")


def test_iso_codes_byte_for_byte(site):
    files = sorted(ISO.glob("iso_*.json"))
    assert files, "Debian's iso-codes is not installed: run deploy/deps test"
    locals_ = [site.local("east"), site.local("west")]
    centre = site.centre(*locals_)
    sent = {l.name: {} for l in locals_}
    for n, f in enumerate(files):
        l = locals_[n % 2]
        bodies = list(spans(f.read_text(encoding="utf-8")))
        # as a person would: pretty-printed records in one array, by curl --data-binary from a file
        wrapped = site.path / "post.json"
        for start in range(0, len(bodies), 5000):
            part = bodies[start:start + 5000]
            ids = [f"{f.stem}:{start + i}" for i in range(len(part))]
            wrapped.write_text("[\n" + ",\n".join(
                f'  {{"id": "{i}", "type": "iso",\n   "body": {b}}}' for i, b in zip(ids, part)) + "\n]\n", encoding="utf-8")
            r = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", "--data-binary",
                                f"@{wrapped}", l.url + "/v1/records"], capture_output=True, text=True, timeout=60)
            assert r.stdout == "201", (f, r.stdout, r.stderr)
            sent[l.name].update(zip(ids, part))
    total = sum(map(len, sent.values()))
    assert total > 5000
    centre.in_sync(seconds=60)
    for l in locals_:
        found = bodies_of(centre, l.name)
        assert found.keys() == sent[l.name].keys()
        for key, body in sent[l.name].items():
            assert found[key] == on_one_line(body), key
        assert centre.node(l.name)["proof"]["equal"] is True


def bodies_of(centre, owner):
    """id → the body's own text, cut out of the list without decoding it."""
    found, after = {}, ""
    while after is not None:
        text = centre.get(f"/v1/records?owner={owner}&limit=1000" + (f"&after={after}" if after else "")).body.decode()
        for record in spans(text):
            fields = json.loads(record)
            start = record.index('"body":') + len('"body":')
            _, end = json.JSONDecoder().raw_decode(record, start)
            found[fields["id"]] = record[start:end]
        after = json.loads(text)["next"]
    return found
