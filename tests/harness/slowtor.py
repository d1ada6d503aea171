# SPDX-License-Identifier: ISC
"""A real tor whose way into its network has a fixed delay, and what goes over its SOCKS port with the time at which it did."""
import asyncio
import os
import socket
import struct
import threading
import time
import types

from .delay import Served, Stream
from .systor import SystemTor


class SlowLink(Served):
    """A SOCKS port (RFC 1928) for tor's own connections: what goes through takes half a round trip more in each direction."""

    def __init__(self, delay_s):
        self.delay_s, self.port = delay_s, None
        super().__init__()

    async def _listen(self):
        server = await asyncio.start_server(self._guard(self._socks), '127.0.0.1', 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _socks(self, reader, writer):
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b'\5\0')
        _, _, _, kind = await reader.readexactly(4)
        assert kind == 1, 'the relays of a private network have IPv4 addresses'
        host = socket.inet_ntoa(await reader.readexactly(4))
        port, = struct.unpack('!H', await reader.readexactly(2))
        from_relay, to_relay = await asyncio.open_connection(host, port)
        writer.write(b'\5\0\0\1' + bytes(6))
        await asyncio.gather(self._carry(reader, to_relay), self._carry(from_relay, writer), return_exceptions=True)
        to_relay.close()

    async def _carry(self, reader, writer):
        queue = asyncio.Queue()

        async def deliver():
            while True:
                due_s, data = await queue.get()
                await asyncio.sleep(due_s - time.monotonic())
                writer.write(data)
        delivering = self._loop.create_task(deliver())
        try:
            while data := await reader.read(65536):
                queue.put_nowait((time.monotonic() + self.delay_s / 2, data))
        finally:
            delivering.cancel()
            writer.close()


class SlowTor(Served):
    """The tor, and a SOCKS port that leads to its own. `streams`: as DelayedPath has them; they stand when tor says SENTCONNECT."""

    def __init__(self, network, folder, delay_s):
        self.link = SlowLink(delay_s)
        conf = f'{network.conf.rstrip()}\ntor.extra = Socks5Proxy 127.0.0.1:{self.link.port}\n'
        self.tor = SystemTor(types.SimpleNamespace(conf=conf), folder)
        self.socks, self.path = self.tor.config['tor.socks'].removeprefix('unix:'), str(folder.parent / 'watched-socks')
        self.config = {**self.tor.config, 'tor.socks': f'unix:{self.path}'}
        self.groups, self.streams = self.tor.groups, []
        super().__init__()
        self._watch()

    async def _listen(self):
        await asyncio.start_unix_server(self._guard(self._serve), self.path)
        os.chmod(self.path, 0o666)

    async def _serve(self, reader, writer):
        stream = Stream(None)
        from_tor, to_tor = await asyncio.open_unix_connection(self.socks)
        self.streams.append(stream)
        try:
            await asyncio.gather(self._carry(reader, to_tor, stream, 'said'), self._carry(from_tor, writer, stream, 'to client'))
        finally:
            to_tor.close()

    @staticmethod
    async def _carry(reader, writer, stream, way):
        while data := await reader.read(65536):
            if stream.stands_s is not None:
                stream.note(way, len(data))
            writer.write(data)
        writer.close()

    def _watch(self):
        """Listens on the control port."""
        control = socket.socket(socket.AF_UNIX)
        control.connect(self.tor.config['tor.control'].removeprefix('unix:'))
        with open(self.tor.config['tor.cookie'], 'rb') as cookie:
            control.sendall(b'AUTHENTICATE ' + cookie.read().hex().encode() + b'\r\nSETEVENTS STREAM\r\n')
        lines = control.makefile('r')

        def listen():
            for line in lines:
                if ' SENTCONNECT ' in line and '.onion:' in line:
                    self.streams[-1].stands_s = time.monotonic()
        threading.Thread(target=listen, daemon=True).start()

    def restart_tor(self):
        """One that knows no descriptor."""
        self.tor.stop()
        self.tor.start()
        self._watch()

    def close(self):
        super().close()
        self.tor.stop()
        self.link.close()
