"""A wire that counts: carries one local's connections as they are, and tells which calls went over it and how many bytes."""
import re
import socket
import threading
import urllib.parse

CALL = re.compile(rb"(?:GET|POST) (/v1/(?:changes|apply|epoch|digest|fetch))[ ?][^\r\n]*HTTP/1\.1\r\n")


class Counter:
    """Stands before `local`: `name` and `url` are what a centre is told."""

    def __init__(self, local):
        self.local, self.name = local, local.name
        self.lock, self.calls, self.bytes = threading.Lock(), [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def reset(self):
        with self.lock:
            self.calls, self.bytes = [], 0

    def seen(self):
        """(calls since the last reset, in order; bytes both ways)"""
        with self.lock:
            return list(self.calls), self.bytes

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return  # closed
            try:
                far = socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(self.local.url).port))
            except OSError:
                near.close()  # it is down
                continue
            for s in (near, far):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, False), daemon=True).start()

    def carry(self, source, to, asks):
        rest = b""
        try:
            while data := source.recv(262144):
                with self.lock:
                    self.bytes += len(data)
                    if asks:
                        rest += data
                        for found in CALL.finditer(rest):
                            self.calls.append(found.group(1).decode())
                            rest = rest[found.end():]
                        rest = rest[-4096:]
                to.sendall(data)
        except OSError:
            pass
        for s in (source, to):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
