"""A TCP proxy that can stop forwarding, refuse connections, and swallow a reply."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

#: PostgreSQL's answer to a COMMIT: CommandComplete, a length, the tag.
COMMIT_REPLY = b"C\x00\x00\x00\x0bCOMMIT\x00"


class Proxy:
    """Forwards connections to a unix socket or a TCP address, in a thread of its own."""

    def __init__(self, *, to: Callable[[], Path | tuple[str, int]]) -> None:
        self._to = to
        self._refusing = False
        self._swallow: bytes | None = None
        self._swallow_of: Callable[[int], bool] = bool
        self.swallowed = 0
        self._open: set[asyncio.StreamWriter] = set()
        #: Connections that stay open but forward nothing any more.
        self._half_open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stop_forwarding(self) -> int:
        """Make every open connection half-open: it stays open and never forwards another byte.

        Returns:
            The number of these connections.
        """
        self._call(lambda: self._half_open.update(self._open))
        return len(self._half_open) // 2

    def connected_to(self, port: int) -> int:
        """How many connections there are to a server's port."""
        return int(self._call(lambda: sum(end.get_extra_info("peername")[1] == port for end in self._open)))

    def refuse(self, refuse: bool) -> None:
        """Close open connections and refuse new ones, or stop refusing."""
        self._refusing = refuse
        if refuse:
            self.cut()

    def cut(self) -> None:
        """Close every connection."""

        def abort_all() -> None:
            for writer in list(self._open):
                writer.transport.abort()

        self._call(abort_all)

    def swallow(self, reply: bytes | None, *, of: Callable[[int], bool] = bool) -> None:
        """Cut the next connection whose server sends this reply, before its client sees it; None: no longer.

        Args:
            of: chooses connections by the client's port; all by default.
        """
        self._swallow, self._swallow_of = reply, of

    def close(self) -> None:
        self._call(self._server.close)
        self.cut()
        self._run(_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        to = self._to()
        try:
            opened = asyncio.open_unix_connection(str(to)) if isinstance(to, Path) else asyncio.open_connection(*to)
            there_reader, there_writer = await opened
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, there_writer)
        self._open.update(ends)
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer, replies=True))
        finally:
            for end in ends:
                end.transport.abort()
                self._open.discard(end)
                self._half_open.discard(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool = False) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65536):
                if writer in self._half_open:
                    continue
                if replies and self._is_to_swallow(data, port=writer.get_extra_info("peername")[1]):
                    self._swallow = None
                    self.swallowed += 1
                    break
                writer.write(data)
                await writer.drain()
        if writer not in self._half_open:
            writer.transport.abort()

    def _is_to_swallow(self, data: bytes, *, port: int) -> bool:
        return self._swallow is not None and self._swallow in data and self._swallow_of(port)

    def _call(self, function: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return function()

        return self._run(run())

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)


async def _others() -> None:
    """Wait for the other tasks of this loop, which are those of closed connections."""
    if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(tasks, timeout=5)
