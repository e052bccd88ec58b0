"""What a kind of evil.py is: a function; how it is registered says how much of an honest local is left of it:
  greets   does what it likes with a connection that is open, before anything was asked
  sends    writes bytes of its own where an answer is due
  serves   answers a call by (status, media, text) as it likes
  lies     bends a true answer: its first line, its records, its last line
"""
import json

LARGE = 65536
HOSTILE = "\x1b[2J\r\n\x9b31m<script>alert(1)</script>%n%s'; DROP TABLE nodes; --"


class Kind:
    def __init__(self, how, act):
        self.how, self.act = how, act


def registers(kinds, how):
    """@…: the function is such a kind, by its name."""
    def register(act):
        kinds[act.__name__] = Kind(how, act)
        return act

    return register


class Asked:
    """A call of the centre."""

    def __init__(self, path, q, body):
        self.path, self.q, self.body = path, q, body


class Answer:
    """A true answer to it, to be bent."""

    def __init__(self, text):
        first, *self.lines, last = text.splitlines()
        self.first, self.last = json.loads(first), json.loads(last)

    def text(self):
        return "".join(x + "\n" for x in [json.dumps(self.first), *self.lines, json.dumps(self.last)])
