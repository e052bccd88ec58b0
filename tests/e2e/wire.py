"""The wire between a centre and a local, with faults: a proxy of one node that knows HTTP well enough to harm single requests.

A fault is a function over an Exchange: what it does with forward(), reply() and cut() is what both ends see.  Who decides which one a
request meets is `Wire.choose`: nobody (all pass), a Stepper (the test, request by request), or chance from a seed."""
import collections
import json
import queue
import select
import socket
import struct
import threading
import urllib.parse

MOST_KEPT = 600  # requests and answers that may be replayed
PATIENCE = 40.0  # s; longer than a request is parked


class Cut(Exception):
    """The connection ended before the whole message was there."""


def read_message(s, until_gone=None):
    """One HTTP message with a Content-Length as bytes; None: closed before its first byte, or whoever wants it has gone."""
    got, size = b"", None
    while size is None or len(got) < size:
        ready = select.select([s, until_gone] if until_gone else [s], [], [], PATIENCE)[0]
        if until_gone in ready and until_gone is not None and not until_gone.recv(1, socket.MSG_PEEK):
            return None
        if s not in ready:
            if ready:  # more bytes of somebody who does not wait for answers
                until_gone = None
                continue
            raise Cut("nothing came")
        data = s.recv(65536)
        if not data:
            if got:
                raise Cut("closed within a message")
            return None
        got += data
        end = got.find(b"\r\n\r\n")
        if size is None and end >= 0:
            size = end + 4 + content_length(got[:end])
    return got


def content_length(head):
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def body_of(message):
    return message.partition(b"\r\n\r\n")[2]


def with_body(message, body):
    """The same with another body, which looks whole to HTTP."""
    head = message.partition(b"\r\n\r\n")[0]
    lines = [x for x in head.split(b"\r\n") if not x.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body


class Request:
    def __init__(self, raw):
        self.raw = raw
        method, self.target, _ = raw.split(b"\r\n", 1)[0].decode().split(" ")
        parts = urllib.parse.urlsplit(self.target)
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        if parts.path == "/v1/epoch":
            self.query = json.loads(body_of(raw))
        self.kind = {"/v1/changes": "pull", "/v1/apply": "push", "/v1/epoch": "rename", "/v1/digest": "digest", "/v1/fetch": "fetch"}.get(parts.path, parts.path)
        if self.query.get("limit") == "0":
            self.kind = "probe"
        self.id = self.query.get("request", method)
        self.parked = "wait" in self.query

    @property
    def basis(self):
        return {k: self.query.get(k) for k in ("epoch", "after", "witness")}

    def unparked(self):
        """Its bytes, without asking the local to hold it."""
        return self.raw.replace(b"&wait=" + self.query["wait"].encode(), b"") if self.parked else self.raw


class Exchange:
    """A request that has come; a fault decides what becomes of it."""

    def __init__(self, wire, client, request):
        self.wire, self.client, self.request = wire, client, request
        self.open, self.whole, self.gone = True, None, False
        self.answer = None      # of the local, whole
        self.lost = []          # requests that overtake nobody: delivered after later ones
        self.decision = queue.Queue()

    def forward(self, raw=None, to=None):
        """The whole answer, None when there is none: nobody listens, or whoever asked has gone."""
        try:
            with socket.create_connection(to or self.wire.local(), timeout=5) as s:
                s.sendall(self.request.raw if raw is None else raw)
                answer = read_message(s, self.client if raw is None else None)
        except (OSError, Cut):
            answer = None
        if raw is None and to is None and answer:
            self.answer = answer
            self.wire.keep(self.request, answer)
        return answer

    def forward_part(self, n, reset):
        """The local gets n bytes, then the end."""
        try:
            with socket.create_connection(self.wire.local(), timeout=5) as s:
                s.sendall(self.request.raw[:n])
                if reset:
                    reset_at_close(s)
                else:  # what it answers to half a request is read, so that it has looked at it
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
        except OSError:
            pass

    def reply(self, data, reset=False):
        """What the centre gets; without data the connection ends."""
        try:
            if data:
                self.client.sendall(data)
            else:
                self.cut(reset)
        except OSError:
            self.open = False

    def cut(self, reset=False):
        if reset:
            reset_at_close(self.client)
        self.open = False


def reset_at_close(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# --- faults; each returns a function over an exchange, and its name says what it does ---

class Fault:
    def __init__(self, name, act, harmless=False):
        self.name, self.act, self.harmless = name, act, harmless


def passes():
    return Fault("pass", lambda x: x.reply(x.forward()), harmless=True)


def cut_answer(n, reset=False):
    """The local has done its part; the centre gets n bytes of its answer."""
    def act(x):
        answer = x.forward()
        if answer and n > 0:
            x.reply(answer[:n])
        x.cut(reset)
    return Fault(f"cut_answer({n}, {reset})", act)


def cut_request(n, reset=False):
    def act(x):
        x.forward_part(n, reset)
        x.cut(reset)
    return Fault(f"cut_request({n}, {reset})", act)


def shorten(n):
    """The body ends after n bytes, and looks whole to HTTP."""
    def act(x):
        answer = x.forward()
        x.reply(answer and with_body(answer, body_of(answer)[:n]))
    return Fault(f"shorten({n})", act)


def twice(first):
    """Delivered twice; the answer is that to the first or to the second."""
    def act(x):
        answers = [x.forward(), x.forward()]
        x.reply(answers[0 if first else 1])
    return Fault(f"twice({first})", act, harmless=True)


def late(after, answer=b""):
    """The centre hears nothing; the local hears it after that many later requests."""
    def act(x):
        x.wire.delay(x.request, after)
        x.reply(answer)
    return Fault(f"late({after})", act)


def replay_request(request, before):
    """One from long ago is delivered once more, just before or after this one."""
    def act(x):
        if before:
            x.forward(request.unparked())
        answer = x.forward()
        if not before:
            x.forward(request.unparked())
        x.reply(answer)
    return Fault(f"replay_request({request.kind} {request.id[:8]}, {before})", act, harmless=True)


def stale(answer, what, deliver=True):
    """An answer to another request instead of its own."""
    def act(x):
        if deliver:
            x.forward()
        x.reply(answer)
    return Fault(f"stale({what}, {deliver})", act)


def foreign(other):
    """What another node answers to the same request."""
    def act(x):
        x.reply(x.forward(x.request.unparked(), to=other.local()))
    return Fault("foreign", act)


def alter(at, bit, of_request=False):
    """One bit of the body is another, in the byte `at`, or at this share of it."""
    def flip(message):
        body = bytearray(body_of(message))
        if body:
            body[at if isinstance(at, int) else int(at * len(body))] ^= 1 << bit
        return with_body(message, bytes(body))

    def act(x):
        if of_request:
            x.reply(x.forward(flip(x.request.raw)) if body_of(x.request.raw) else x.forward())
        else:
            answer = x.forward()
            x.reply(answer and flip(answer))
    return Fault(f"alter({at}, {bit}, {of_request})", act)


def garbage(junk, counted):
    """Something follows the end: as part of the body, or after it on the connection."""
    def act(x):
        answer = x.forward()
        if answer and counted:
            x.reply(with_body(answer, body_of(answer) + junk))
        else:
            x.reply(answer and answer + junk)
            x.cut()
    return Fault(f"garbage({junk!r}, {counted})", act, harmless=not counted)


def trickle(piece, pause):
    def act(x):
        answer = x.forward() or b""
        for i in range(0, len(answer), piece):
            x.reply(answer[i:i + piece])
            x.wire.closing.wait(pause)  # the fault itself: a slow line
        if not answer:
            x.cut()
    return Fault(f"trickle({piece}, {pause})", act, harmless=True)


class Wire:
    """Listens for the centre's requests to one local.  Give its url to the centre instead of the local's."""
    request_of = Request

    def __init__(self, local):
        self.name, self.program = local.name, local
        self.choose = lambda x: passes()
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.kept = collections.deque(maxlen=MOST_KEPT)  # (request, answer)
        self.delayed = []     # [request, after how many]
        self.faults = {}      # of each request by its id, in order: a request that libcurl sends again meets the same
        self.kinds = {}       # by id
        self.cancelled = 0    # whoever asked went before there was an answer
        self.resent = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def local(self):
        return "127.0.0.1", self.program.port

    def close(self):
        self.closing.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        except OSError:
            pass
        self.listener.close()

    def accept(self):
        while not self.closing.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            try:
                while raw := read_message(client):
                    x = Exchange(self, client, self.request_of(raw))
                    self.fault_of(x).act(x)
                    self.deliver_delayed(x)
                    if not x.open:
                        return
            except (OSError, Cut):
                pass

    def fault_of(self, x):
        with self.lock:
            known = self.faults.get(x.request.id)
            self.resent += known is not None
        fault = known or self.choose(x)
        with self.lock:
            self.faults[x.request.id] = fault
            self.kinds[x.request.id] = x.request.kind
        return fault

    def keep(self, request, answer):
        with self.lock:
            self.kept.append((request, answer))

    def old(self, kind=None):
        """What passed before, oldest first: (request, answer)."""
        with self.lock:
            return [k for k in self.kept if kind is None or k[0].kind == kind]

    def delay(self, request, after):
        with self.lock:
            self.delayed.append([request, after + 1])

    def deliver_delayed(self, x):
        with self.lock:
            for d in self.delayed:
                d[1] -= 1
            due = [d for d in self.delayed if d[1] <= 0]
            self.delayed = [d for d in self.delayed if d[1] > 0]
        for request, _ in due:
            x.forward(request.unparked())

    def heal(self):
        """From now on everything passes, and nothing old comes any more."""
        self.choose = lambda x: passes()
        with self.lock:
            self.delayed = []


class Stepper:
    """The test decides: each request waits at the wire until step.answer()."""

    def __init__(self, wire):
        self.wire, self.arrived = wire, queue.Queue()
        wire.choose = self.choose

    def choose(self, x):
        if x.request.parked:
            return passes()
        self.arrived.put(x)
        return x.decision.get()

    def next(self, *kinds):
        """The next request of these kinds; others pass."""
        while True:
            x = self.arrived.get(timeout=20)
            if not kinds or x.request.kind in kinds:
                return x
            x.decision.put(passes())

    def stop(self):
        self.wire.heal()
        while not self.arrived.empty():
            self.arrived.get().decision.put(passes())
