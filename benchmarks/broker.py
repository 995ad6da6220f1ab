"""The Redis of a benchmark: started for it, or the one that BROKER_URL names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from benchmarks.servers import Refused
from project.console.harness import process, redis_server

STOP_LIMIT_S = 10.0


class Broker:
    """A Redis."""

    def __init__(self, url: str, *, pid: int | None = None) -> None:
        self.url, self.pid = url, pid
        self._client = redis.Redis.from_url(url.replace("redis+socket://", "unix://"))

    def empty(self) -> None:
        """Delete everything in it."""
        self._client.flushall()

    def version(self) -> str:
        """The name and the version of the server."""
        info: dict[str, Any] = self._client.info("server")
        return f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"


@contextmanager
def broker(directory: Path) -> Iterator[Broker]:
    """The Redis that BROKER_URL names, or one that is started and ends with the block."""
    if given := os.environ.get("BROKER_URL"):
        yield Broker(given)
        return
    socket = directory / "redis.sock"
    try:
        server = redis_server.start(socket, log=directory / "redis.log")
    except redis_server.NoRedisServer as error:
        raise Refused(str(error)) from error
    try:
        yield Broker(f"redis+socket://{socket}", pid=server.pid)
    finally:
        process.stop(server, limit_s=STOP_LIMIT_S)
