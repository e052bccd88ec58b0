"""Who asks a centre: its secret, tokens with roles, sessions; from whichever address of loopback."""
import http.client
import json
import secrets
import time
import urllib.parse

import canary
import lab
import openapi

ROLES = ("viewer", "operator", "admin")


def ask(program, method, path, body=None, token=None, cookie=None, origin=True, source="127.0.0.1", headers=None):
    """One call whose answer is read, but for a stream, of which only the head is."""
    parts = urllib.parse.urlsplit(program.url)
    given = dict(headers or {})
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    if cookie is not None:
        given["Cookie"] = cookie
        if origin:
            given["Origin"] = program.url
    conn = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20, source_address=(source, 0))
    try:
        conn.request(method, path, body=body if body is None or isinstance(body, (str, bytes)) else json.dumps(body), headers=given)
        r = conn.getresponse()
        stream = r.status == 200 and r.headers["Content-Type"] == "text/event-stream"
        reply = lab.Reply(r.status, r.headers, b"" if stream else r.read())
        canary.answer(method, path, given, reply)
        return reply
    finally:
        conn.close()


class Guarded:
    """A centre with a secret."""

    def __init__(self, site, *locals_, options=(), **kw):
        self.file = site.path / "secret"
        self.renew(secrets.token_hex(24))
        self.centre = site.centre(*locals_, options=["--secret-file", str(self.file), *options], **kw)

    def renew(self, secret):
        self.secret = secret
        lab.private_file(self.file, secret + "\n")

    def ask(self, method, path, body=None, **kw):
        return ask(self.centre, method, path, body, **kw)

    def add(self, name, role, **more):
        r = self.ask("POST", "/v1/tokens", {"name": name, "role": role, **more}, token=self.secret)
        assert r.status == 201, r.body
        return r.json["token"]

    def sign_in(self, token, **kw):
        """The reply, and the cookie as a browser sends it back."""
        r = self.ask("POST", "/v1/session", {"token": token}, **kw)
        return r, (r.headers["Set-Cookie"] or "").partition(";")[0]

    def who(self, **kw):
        r = self.ask("GET", "/v1/session", **kw)
        return (r.json["name"], r.json["role"], r.json["by"]) if r.status == 200 else r.status

    def tool(self, token, *args):
        """The tool with this token in a file."""
        f = lab.private_file(self.file.with_name("tool.token"), token)
        return self.centre.tool("--token-file", str(f), *args, check=False)


def calls(document):
    """Every route of the centre as one that changes nothing, with the role that the program's own document says it takes, None = none: (method, target,
    body, role)."""
    routes, operations = openapi.routes("central"), openapi.Document(document).operations()
    assert routes.keys() == operations.keys()
    for (method, path), (operation, _) in operations.items():
        target = path.replace("{name}", "nobody").replace("{owner}", "nobody").replace("{id}", "0").replace("{verb}", "dance")
        security = operation.get("security", [{"token": ["viewer"]}])
        yield method.upper(), target, "{}" if routes[method, path][1] else None, security[0]["token"][0] if security else None


def comes_to_its_end(stream, seconds=8):
    """Reads on until the other end is done; fails when it goes on for longer."""
    deadline = time.monotonic() + seconds
    for _ in stream:
        assert time.monotonic() < deadline, f"the stream still goes on after {seconds} s"
