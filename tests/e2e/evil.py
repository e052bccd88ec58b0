"""Locals that stall, lie and attack: one kind each, all in this process, and each can turn good.

The kinds are in evil_bytes.py and evil_answers.py; evil_kinds.py says what one is."""
import itertools
import multiprocessing.pool
import threading

import evil_answers
import evil_bytes
import protocol1
from evil_kinds import Answer, Asked

KINDS = evil_bytes.KINDS | evil_answers.KINDS


class Evil(protocol1.Local):
    """A local of `kind` that holds a few records; good = True: an honest one from the next call on."""

    def __init__(self, name, kind):
        self.kind, self.good = KINDS[kind], False
        self.gone = threading.Event()  # what it does with the connections that it has ends
        self.count, self.broken = itertools.count(1), []
        super().__init__(name, extra=False)
        for i in range(3):
            self.write(f"r{i}", f'{{"v":{i}}}')

    def turn_good(self):
        """As if its database had been put in place anew: nothing of what it said before holds."""
        self.good = True
        self.reset()
        self.write("after", '"good"')
        self.gone.set()

    def close(self):
        self.gone.set()
        super().close()

    def serve(self, path, q, body):
        if self.good or self.kind.how not in ("serves", "lies"):
            return super().serve(path, q, body)
        asked = Asked(path, q, body)
        if self.kind.how == "serves":
            return self.kind.act(self, asked)
        status, media, text = super().serve(path, q, body)
        if status == 200 and path != "/v1/epoch":
            bent = Answer(text)
            text = self.kind.act(self, asked, bent) or bent.text()
        return status, media, text

    def true(self, asked):
        return protocol1.Local.serve(self, asked.path, asked.q, asked.body)

    def handler(self):
        node = self

        class Handler(super().handler()):
            def handle(self):
                try:
                    if node.good or node.kind.how != "greets":
                        super().handle()
                    else:
                        node.kind.act(node, self.connection)
                except OSError:
                    pass  # whoever asked has gone

            def answer(self):
                if node.good or node.kind.how != "sends":
                    super().answer()
                    return
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.close_connection = True
                try:
                    node.kind.act(node, self.connection)
                except OSError:
                    pass

            do_GET = do_POST = answer

        return Handler


def close_all(nodes):
    with multiprocessing.pool.ThreadPool(max(1, len(nodes))) as pool:
        pool.map(lambda n: n.close(), nodes)
