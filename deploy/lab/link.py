"""The link between the centre and a node: a TCP proxy on loopback that can be slow, be cut, or stop in the middle of an answer.

The centre knows a node by its link's port, which stays, whatever port the node's present process has.  A node that is down is refused, as
without a link.  A link that is cut is silent, as a cable that was pulled out: nobody is told, and what was on its way waits.
All links live in the one thread of a Switchboard.
"""
import asyncio
import socket
import threading

CHUNK = 65536
ON_THE_WAY = 64  # chunks of one direction that a slow link may hold


class Switchboard:
    """The thread and its loop."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="links", daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def close(self):
        async def end_all():
            mine = asyncio.current_task()
            tasks = [t for t in asyncio.all_tasks() if t is not mine]
            for t in tasks:
                t.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(end_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


class Link:
    """Its methods are for any thread."""

    def __init__(self, board):
        self.board = board
        self.target = None         # (host, port) of the node's process; None: it is down
        self.delay_ms = 0          # that a round trip takes longer
        self.cut_off = False
        self.answered = 0          # bytes that went to the centre
        self.allowed = None        # how many more may, before the link is cut
        self.held = threading.Event()
        self.listener = None
        self.serving = set()       # a task a connection
        # Bound and never listening, it keeps the port while nobody listens there.
        self.reserved = socket.socket()
        self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.reserved.bind(("127.0.0.1", 0))
        self.port = self.reserved.getsockname()[1]
        board.run(self._begin())

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def connect(self, target):
        """To the node's process; None: it is down."""
        self.board.run(self._change(target=target))

    def slow(self, ms):
        self.board.run(self._change(delay_ms=ms))

    def cut(self):
        self.board.run(self._change(cut_off=True))

    def heal(self):
        """As fast as loopback, and whole."""
        self.board.run(self._change(cut_off=False, delay_ms=0, allowed=None))

    def cut_within(self, size):
        """Whole, until `size` more bytes (or one less) went to the centre: then cut, in the middle of a line, and `held` is set."""
        self.held.clear()
        self.board.run(self._change(cut_off=False, allowed=size))

    def close(self):
        self.board.run(self._end())
        self.reserved.close()

    # In the loop's thread.

    async def _begin(self):
        self.passing = asyncio.Event()
        self.passing.set()

    async def _change(self, **what):
        for name, value in what.items():
            setattr(self, name, value)
        await self._settle()

    async def _settle(self):
        """Listens, and lets pass, as what is set says."""
        (self.passing.clear if self.cut_off else self.passing.set)()
        listens = self.target is not None or self.cut_off
        if listens and not self.listener:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64, reuse_port=True)
            self.listener.setblocking(False)
            asyncio.get_running_loop().add_reader(self.listener, self._accept)
        elif not listens:
            await self._end()

    async def _end(self):
        if self.listener:
            asyncio.get_running_loop().remove_reader(self.listener)
            self.listener.close()  # those that are connected stay
            self.listener = None

    def _accept(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return  # whoever came has gone
        task = asyncio.ensure_future(self._serve(connection))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def _serve(self, connection):
        centre_reader, centre_writer = await asyncio.open_connection(sock=connection)
        writers = [centre_writer]
        try:
            await self.passing.wait()
            if not self.target:
                raise ConnectionError
            node_reader, node_writer = await asyncio.open_connection(*self.target)
            writers.append(node_writer)
            await self._first_of(self._pump(centre_reader, node_writer, self._write), self._pump(node_reader, centre_writer, self._answer))
        except OSError:
            pass  # both ends see a connection that ended
        finally:
            for w in writers:
                w.transport.abort()

    async def _first_of(self, *pumps):
        """Until one direction has ended; then neither goes on."""
        tasks = [asyncio.ensure_future(p) for p in pumps]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for t in tasks:
                t.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, reader, writer, deliver):
        """One direction: read at once, delivered when its time has come.  Returns when it has ended, and that was delivered."""
        loop, way = asyncio.get_running_loop(), asyncio.Queue(ON_THE_WAY)
        writer.transport.set_write_buffer_limits(0)  # what was delivered is with the kernel

        async def read():
            data = True
            while data:
                try:
                    data = await reader.read(CHUNK)
                except OSError:
                    data = b""
                await way.put((loop.time() + self.delay_ms / 2000, data))

        reading = asyncio.ensure_future(read())
        try:
            while True:
                due, data = await way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self.passing.wait()
                if not data:
                    return
                await deliver(writer, data)
        finally:
            reading.cancel()

    async def _write(self, writer, data):
        writer.write(data)
        await writer.drain()

    async def _answer(self, writer, data):
        if self.allowed is not None:
            if len(data) > self.allowed:
                part = data[:self.allowed].rstrip(b"\n")
                await self._write(writer, part)
                self.answered += len(part)
                await self._change(cut_off=True, allowed=None)
                self.held.set()
                await self.passing.wait()
                data = data[len(part):]
            else:
                self.allowed -= len(data)
        self.answered += len(data)
        await self._write(writer, data)
