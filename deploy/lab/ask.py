"""Asks a program over HTTP, as any user would, and waits with a deadline."""
import http.client
import json
import time
import urllib.parse


class Failed(Exception):
    """Something that was to be done could not be; the text says what, for whoever asked for it."""


class Reply:
    def __init__(self, status, body):
        self.status, self.body = status, body

    @property
    def json(self):
        return json.loads(self.body)


def call(url, method="GET", body=None, timeout=10.0):
    """One request on a connection of its own, past any proxy of the environment.  Failed when nobody answers."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body=body)
        answer = connection.getresponse()
        return Reply(answer.status, answer.read())
    except (OSError, http.client.HTTPException) as e:
        raise Failed(f"{method} {url}: {e}") from None
    finally:
        connection.close()


def done(url, method="GET", body=None):
    """The same, as JSON; Failed, with what the problem says, unless it was done."""
    reply = call(url, method, body)
    if reply.status not in (200, 201, 202):
        try:
            detail = reply.json["detail"]
        except (ValueError, KeyError):
            detail = reply.body[:200].decode(errors="replace")
        raise Failed(f"{method} {url}: {reply.status}: {detail}")
    return reply.json


def until(holds, seconds):
    """Asks again until holds() is true: its last value, true or not."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value or time.monotonic() >= deadline:
            return value
        time.sleep(0.005)
