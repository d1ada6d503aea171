# SPDX-License-Identifier: ISC
"""Tor's delays without tor: what a circuit does to a stream, as numbers that are known beforehand.

A round trip takes `delay_s`. A circuit stands `circuit_s` after it was asked for. What the client sends before that is kept and
sent with BEGIN (tor's optimistic data), so it reaches the server half a round trip after the circuit stands, and CONNECTED
reaches the client another half later. When the circuit stands, tor says so on its control port (STREAM ... SENTCONNECT), and what the
client sends from then on goes out at once.
"""
import asyncio
import contextlib
import os
import struct
import threading
import time

SOCKS_FAILED, SOCKS_OK = b'\5\1\0\1' + bytes(6), b'\5\0\0\1' + bytes(6)


class Stream:
    """What went over one stream: (seconds since its circuit stood, 'to server' or 'to client', bytes) at the receiving end."""

    def __init__(self, stands_s):
        self.stands_s, self.events = stands_s, []

    def note(self, way, length):
        self.events.append((time.monotonic() - self.stands_s, way, length))

    def last_answer_s(self):
        """When the last octets reached the client."""
        return max((at for at, way, _ in self.events if way == 'to client'), default=None)

    def answer_before_last_words_s(self):
        """When the octets reached the client that made it say its last words (QUIT)."""
        said = max(at for at, way, _ in self.events if way == 'said')
        return max(at for at, way, _ in self.events if way == 'to client' and at <= said)


class Served:
    """Servers on an event loop of their own thread."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()

    def _run(self, started):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        started.set()
        self._loop.run_forever()

    def close(self):
        async def end():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._loop.stop()
        asyncio.run_coroutine_threadsafe(end(), self._loop)
        self._thread.join()

    @staticmethod
    def _guard(serve):
        async def guarded(reader, writer):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
            writer.close()
        return guarded


class ControlPort:
    """A way to a tor's control port on which events of streams that this tor does not have are told as if it had them."""

    def __init__(self, tor):
        self.tor, self.clients, self.count = tor, set(), 0

    async def serve(self, reader, writer):
        from_tor, to_tor = await asyncio.open_unix_connection(self.tor)
        self.clients.add(writer)
        answering = asyncio.get_running_loop().create_task(self._answer(from_tor, writer))
        try:
            while data := await reader.read(65536):
                to_tor.write(data)
        finally:
            self.clients.discard(writer)
            to_tor.close()
            answering.cancel()

    async def _answer(self, from_tor, writer):
        answer = b''
        while line := await from_tor.readline():
            answer += line
            if line[3:4] == b' ':  # whole answers only: nothing may come between their lines
                writer.write(answer)
                answer = b''
        writer.close()

    def tell(self, host, port, password):
        self.count += 1
        event = (f'650 STREAM {self.count} SENTCONNECT {self.count} {host}:{port} SOCKS_USERNAME="<torS0X>0" SOCKS_PASSWORD="{password}" '
                 'CLIENT_PROTOCOL=SOCKS5 NYM_EPOCH=0 SESSION_GROUP=-4 ISO_FIELDS=SOCKS_USERNAME,SOCKS_PASSWORD\r\n')
        for writer in self.clients:
            writer.write(event.encode())


class DelayedPath(Served):
    """A SOCKS port (on a Unix socket) and, for programs that know no SOCKS, a TCP port; both lead to Unix sockets.

    `routes`: (host, port) to path; the TCP port leads to `plain`. `tor`: the control socket of a tor, to which `control` leads."""

    def __init__(self, folder, delay_s, circuit_s, routes, plain=None, tor=None):
        self.path, self.control, self.port = str(folder / 'delayed-socks'), str(folder / 'delayed-control'), None
        self.delay_s, self.circuit_s, self.routes, self.plain = delay_s, circuit_s, routes, plain
        self.tor = ControlPort(tor)
        self.streams = []
        super().__init__()

    async def _listen(self):
        await asyncio.start_unix_server(self._guard(self._socks), self.path)
        await asyncio.start_unix_server(self._guard(self.tor.serve), self.control)
        server = await asyncio.start_server(self._guard(self._tcp), '127.0.0.1', 0)
        self.port = server.sockets[0].getsockname()[1]
        os.chmod(self.path, 0o666)
        if self.tor.tor:
            status = os.stat(self.tor.tor)
            os.chown(self.control, status.st_uid, status.st_gid)
            os.chmod(self.control, status.st_mode & 0o777)

    async def _tcp(self, reader, writer):
        await self._carry(self.plain, reader, writer)

    async def _socks(self, reader, writer):
        """RFC 1928 with user name and password (RFC 1929), as far as tor's clients use it."""
        _, methods = await reader.readexactly(2)
        offered = await reader.readexactly(methods)
        writer.write(b'\5\2' if 2 in offered else b'\5\0')
        password = b''
        if 2 in offered:
            await reader.readexactly(1)
            for _ in range(2):
                password = await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(b'\1\0')
        await reader.readexactly(4)
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port, = struct.unpack('!H', await reader.readexactly(2))
        path = self.routes.get((host, port))
        if path is None:
            writer.write(SOCKS_FAILED)
            return
        await self._carry(path, reader, writer, SOCKS_OK, lambda: self.tor.tell(host, port, password.decode()))

    async def _carry(self, path, reader, writer, connected=None, stands=lambda: None):
        stands_s = time.monotonic() + self.circuit_s
        stream = Stream(stands_s)
        self.streams.append(stream)
        half = self.delay_s / 2
        said, answers = asyncio.Queue(), asyncio.Queue()
        reading = self._loop.create_task(self._read(reader, half, stands_s + half, said, stream))
        await asyncio.sleep(self.circuit_s)
        stands()
        await asyncio.sleep(half)
        from_server, to_server = await asyncio.open_unix_connection(path)
        if connected:
            answers.put_nowait((stands_s + 2 * half, connected))
        await asyncio.gather(reading, self._deliver(stream, to_server, 'to server', said),
                             self._read(from_server, half, 0, answers, None), self._deliver(stream, writer, 'to client', answers),
                             return_exceptions=True)
        to_server.close()

    async def _read(self, reader, half, earliest_s, queue, said):
        while data := await reader.read(65536):
            if said:
                said.note('said', len(data))
            queue.put_nowait((max(time.monotonic() + half, earliest_s), data))
        queue.put_nowait((max(time.monotonic() + half, earliest_s), b''))

    async def _deliver(self, stream, writer, way, queue):
        with contextlib.suppress(OSError):
            while True:
                due_s, data = await queue.get()
                await asyncio.sleep(due_s - time.monotonic())
                if not data:
                    writer.write_eof()
                    return
                writer.write(data)
                stream.note(way, len(data))
