"""Receivers of notifications: URLs that behave as they are told, commands that keep what they get."""
import http.server
import json
import pathlib
import threading


class Request:
    def __init__(self, handler):
        self.path, self.headers = handler.path, dict(handler.headers)
        self.body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.json = json.loads(self.body)

    @property
    def key(self):
        return self.headers["Idempotency-Key"]


class Hooks:
    """`does[path]` are functions of (handler, request), each for one request; then, and without any, all are taken."""

    def __init__(self):
        self.does, self.seen, self.lock = {}, [], threading.Lock()
        self.ended = threading.Event()
        hooks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = Request(self)
                with hooks.lock:
                    hooks.seen.append(request)
                    todo = hooks.does.get(request.path)
                    what = todo.pop(0) if todo else answer(204)
                what(self, request)

            def do_GET(self):
                hooks.seen.append(self.path)
                answer(200)(self, None)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client):
                pass  # the other end has gone, as some tests want

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def at(self, path):
        """The requests there, by now."""
        with self.lock:
            return [r for r in self.seen if getattr(r, "path", None) == path]

    def events(self, path):
        """The events that it was told, each once by its message's id, in order."""
        messages = {r.key: r.json for r in self.at(path)}
        return [e for m in messages.values() for e in m["events"]]

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


def answer(status, body=b"", headers=()):
    def do(handler, request):
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    return do


def close(handler, request):
    """No answer at all."""
    handler.close_connection = True


def hang(hooks):
    """None for as long as the test lasts."""
    def do(handler, request):
        hooks.ended.wait(60)
    return do


def drip(hooks):
    """One that never ends."""
    def do(handler, request):
        handler.send_response(200)
        handler.end_headers()
        while not hooks.ended.is_set():
            handler.wfile.write(b"x" * 1000)
    return do


class Command:
    """A program that keeps each message in a file of its own, then does what the shell's text says."""

    def __init__(self, directory, name, then="exit 0"):
        self.directory = pathlib.Path(directory) / f"{name}.got"
        self.directory.mkdir()
        self.path = pathlib.Path(directory) / name
        self.then(then)

    def then(self, text):
        new = self.path.with_suffix(".new")
        new.write_text(f'#!/bin/sh\nn=$(ls {self.directory} | wc -l)\ncat > {self.directory}/$n.part && '
                       f'mv {self.directory}/$n.part {self.directory}/$n.json\n{text}\n')
        new.chmod(0o755)
        new.rename(self.path)

    def messages(self):
        return [json.loads(f.read_text()) for f in sorted(self.directory.glob("*.json"), key=lambda f: int(f.stem))]
