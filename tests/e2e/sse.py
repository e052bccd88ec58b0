"""Server-sent events as a client reads them: a connection, and each message as it comes."""
import http.client
import json
import time
import urllib.parse


class Message:
    def __init__(self, kind, id_, data):
        self.kind, self.id, self.data = kind, id_, data

    @property
    def json(self):
        return json.loads(self.data)


class Stream:
    def __init__(self, url, headers=None, timeout=20.0):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        self.connection.request("GET", parts.path + ("?" + parts.query if parts.query else ""), headers=headers or {})
        self.reply = self.connection.getresponse()
        self.status, self.headers, self.retry_ms = self.reply.status, self.reply.headers, None

    def __iter__(self):
        """Messages until the other end is done."""
        kind, id_, data = "message", None, []
        for line in self.reply:
            name, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if not name and not value and data:
                yield Message(kind, id_, "\n".join(data))
                kind, id_, data = "message", None, []
            elif name == "event":
                kind = value
            elif name == "id":
                id_ = int(value)
            elif name == "data":
                data.append(value)
            elif name == "retry":
                self.retry_ms = int(value)

    def until(self, holds, seconds=20.0):
        """All messages up to the first for which holds() is true."""
        seen, deadline = [], time.monotonic() + seconds
        for message in self:
            seen.append(message)
            if holds(message):
                return seen
            assert time.monotonic() < deadline, [f"{m.kind} {m.data[:200]}" for m in seen]
        raise AssertionError(f"the stream ended: {[m.data[:200] for m in seen]}")

    def close(self):
        self.reply.close()
        self.connection.close()
