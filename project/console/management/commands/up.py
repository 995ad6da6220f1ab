"""`manage.py up`: the whole system on one machine."""

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from project.bus.management import base
from project.celery import EXTERNAL, SERVICES
from project.console import bundled_redis, programs
from project.console.demo_content import DEMO_ADMIN_EMAIL, DEMO_ADMIN_PASSWORD
from project.console.processes import Program, Supervisor
from project.settings import refuse_unsafe_production
from users.models import User

HOST = "127.0.0.1"


class Command(base.Command):
    """Runs everything."""

    help = """\
Run everything on this machine until Ctrl-C: the web server on http://127.0.0.1:$PORT (8000), the relay, one worker per
queue and, unless BROKER_URL names another broker, a Redis server.

Their output comes labelled into this terminal. What dies is started again. Ctrl-C or SIGTERM stops all of it within ten
seconds, a second Ctrl-C at once. On several machines, let something else run the same processes: docs/deployment.md.

examples:
  DEBUG=1 manage.py up                                           on a machine of your own, with SQLite
  PORT=8001 DATA_DIR=/tmp/second DEBUG=1 manage.py up            a second one beside it
  DATABASE_URL=postgres://user:password@host/name manage.py up   with a SECRET_KEY of your own; see docs/settings.md

exit codes:
  0  it was told to stop
  1  it cannot start: a taken port, a database that does not answer or lacks migrations, or unsafe settings
  2  wrong arguments"""

    # Checks may ask the database, so they wait until that is known to answer.
    requires_system_checks = ()

    def handle(self, **_: Any) -> None:
        """Check what would fail later with a worse message, then run until told to stop."""
        check_settings()
        check_port(settings.PORT)
        check_database()
        self.check()
        everything = [*redis_programs(), *own_programs()]
        announcement = welcome_text()
        connection.close()
        Supervisor(everything, cwd=settings.BASE_DIR, announcement=announcement).run()


def check_settings() -> None:
    """Refuse settings that the web server would refuse."""
    try:
        refuse_unsafe_production()
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error


def check_port(port: int) -> None:
    """Refuse a port that the web server cannot have."""
    if not 0 < port < 65536:
        raise CommandError(f"PORT must be between 1 and 65535, not {port}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web server does
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CommandError(f"Port {port} cannot be used: {error.strerror}. Set PORT to another.") from error
            raise CommandError(f"Port {port} is taken: stop what uses it, or set PORT to another.") from error


def check_database() -> None:
    """Refuse a database that does not answer or lacks migrations."""
    try:
        executor = MigrationExecutor(connection)
    except OperationalError as error:
        reason = " ".join(str(error).split())
        raise CommandError(f"The database does not answer ({reason}). Start it, or correct DATABASE_URL.") from error
    if missing := len(executor.migration_plan(executor.loader.graph.leaf_nodes())):
        raise CommandError(f"The database lacks {missing} migrations. Type: {manage('migrate')}")


def redis_programs() -> list[Program]:
    """The bundled Redis, unless another broker is set."""
    if settings.BROKER_URL != settings.BUNDLED_BROKER_URL:
        return []
    place: Path = settings.BUNDLED_REDIS_SOCKET
    binary = bundled_redis.find_binary()
    if binary is None:
        raise CommandError("No Redis server is here: install one (redis-server or valkey-server), or set BROKER_URL.")
    try:
        bundled_redis.make_private_directory(place.parent)
    except OSError as error:
        raise CommandError(f"No place for the Redis socket: {error}") from error
    if bundled_redis.answers(place):
        raise CommandError(
            f"Another `manage.py up` runs on {settings.DATA_DIR}: stop it, or set DATA_DIR to another directory."
        )
    return [
        Program(
            name="redis",
            command=bundled_redis.command(binary=binary, socket=place),
            is_ready=lambda: bundled_redis.answers(place),
            stops_last=True,
        )
    ]


def own_programs() -> list[Program]:
    """The relay, a worker for each queue, and the web server."""
    size = programs.pool_size(connection.vendor)
    return [
        Program(name="relay", command=[sys.executable, "manage.py", "relay"]),
        *(
            Program(name=queue, command=programs.worker(queue, app="project", processes=size))
            for queue in (*SERVICES, EXTERNAL)
        ),
        Program(
            name="web",
            command=programs.web("project.wsgi", address=f"{HOST}:{settings.PORT}"),
            is_ready=web_answers,
        ),
    ]


def web_answers() -> bool:
    """Whether somebody listens on the web server's port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, settings.PORT)) == 0


def welcome_text() -> str:
    """Where things are, for the person who started it."""
    site = f"http://{HOST}:{settings.PORT}"
    surroundings = f"DATA_DIR={settings.DATA_DIR}" if "DATA_DIR" in os.environ else ""
    by_hand = f"{surroundings} {here('celery')} -A project worker -Q orders".strip()
    admin = User.objects.filter(email=DEMO_ADMIN_EMAIL).first() if settings.DEBUG else None
    if admin is not None and admin.check_password(DEMO_ADMIN_PASSWORD):
        log_in = f"{DEMO_ADMIN_EMAIL}, password {DEMO_ADMIN_PASSWORD}"
    else:
        log_in = f"make an account: {manage('createsuperuser')}"
    return "\n".join(
        (
            "",
            f"Orderly runs on {site}/",
            f"  admin     {site}/admin/   ({log_in})",
            f"  API       {site}/api/v1/products/",
            f"  a worker  {by_hand}",
            "  Ctrl-C stops everything",
        )
    )


def here(program: str) -> str:
    """How to call a program of this virtual environment from the current directory."""
    return os.path.relpath(Path(sys.executable).parent / program)


def manage(command: str) -> str:
    """How to call a management command as this one was called."""
    return f"{os.path.relpath(sys.executable)} manage.py {command}"
