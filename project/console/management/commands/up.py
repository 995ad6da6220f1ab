"""`manage.py up`: the whole system on one machine."""

import errno
import os
import socket
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import environ
from django.conf import settings
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from project.bus.management import base
from project.celery import EXTERNAL, SERVICES
from project.checks import production_errors
from project.console.demo_admin import DEMO_ADMIN_EMAIL, DEMO_ADMIN_PASSWORD, demo_admin_can_log_in
from project.console.harness import programs, redis_server
from project.console.harness.private_files import claim_directory, claim_files, replace_file
from project.console.harness.process import LOOPBACK, listens
from project.console.harness.supervisor import Program, Supervisor


class Command(base.Command):
    help = """\
Run everything on this machine until Ctrl-C: the web server on http://127.0.0.1:$PORT (8000), the relay, one worker per
queue and, unless BROKER_URL names another broker, a Redis server.

The terminal shows their labelled output. A process that dies is started again. Ctrl-C or SIGTERM stops all of them
within ten seconds, a second Ctrl-C at once. On several machines, run the processes with systemd: docs/deployment.md.

examples:
  DEBUG=1 manage.py up                                           on your own machine, with SQLite
  PORT=8001 DATA_DIR=/tmp/second DEBUG=1 manage.py up            a second one beside it
  DATABASE_URL=postgres://user:password@host/name manage.py up   with a SECRET_KEY of your own; see docs/settings.md

exit codes:
  0  stopped by a signal
  1  it cannot start: the port is taken, the database does not answer or lacks migrations, settings are unsafe, or
     the data belongs to another user
  2  wrong arguments"""

    # Checks may query the database, so they run after it has answered.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--keep-welcome-sku",
            action="store_true",
            help="write WELCOME_SKU to the file env in DATA_DIR, for workers that are started from other shells",
        )

    def handle(self, *, keep_welcome_sku: bool, **_: Any) -> None:
        """Check what would fail later with a worse message, then run until a signal comes."""
        check_settings()
        check_port(settings.PORT)
        for path in claim_data():
            self.stdout.write(f"{path} was open to other users of this machine; now it is open to its owner alone")
        if keep_welcome_sku:
            replace_file(settings.DATA_DIR / "env", f"WELCOME_SKU={settings.WELCOME_SKU}\n")
        check_database()
        self.check()
        everything = [*redis_programs(), *project_programs()]
        announcement = welcome_text()
        connection.close()
        Supervisor(everything, cwd=settings.BASE_DIR, announcement=announcement).run()


def check_settings() -> None:
    """Refuse settings with which the web server would not start."""
    if errors := production_errors():
        raise CommandError("\n".join(errors))


def check_port(port: int) -> None:
    """Refuse a port that the web server cannot use."""
    if not 0 < port < 65536:
        raise CommandError("PORT must be between 1 and 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web server does
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CommandError(f"Port {port} cannot be used: {error.strerror}. Set PORT to another.") from error
            raise CommandError(f"Port {port} is taken: stop what uses it, or set PORT to another.") from error


def claim_data() -> list[Path]:
    """Close directories and files that other users can read, such as those of an older release, and return these.

    Raises:
        CommandError: another user owns one, or could have put something into it.
    """
    directories: list[Path] = [settings.DATA_DIR]
    files: list[Path] = [settings.DATA_DIR / "env"]
    if settings.BROKER_URL == settings.BUNDLED_BROKER_URL:
        directories.append(settings.BUNDLED_REDIS_SOCKET.parent)
    if settings.EMAIL_URL.startswith("filemail:"):
        mails = Path(environ.Env.email_url_config(settings.EMAIL_URL)["EMAIL_FILE_PATH"])
        directories.append(mails)
        files += mails.glob("*")
    if connection.vendor == "sqlite":
        files += [Path(f"{connection.settings_dict['NAME']}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")]
    try:
        return [*(path for directory in directories for path in claim_directory(directory)), *claim_files(files)]
    except OSError as error:
        raise CommandError(f"The data is not safe from other users: {error}.") from error


def check_database() -> None:
    """Refuse a database that does not answer or lacks migrations."""
    try:
        executor = MigrationExecutor(connection)
    except OperationalError as error:
        reason = " ".join(str(error).split())
        raise CommandError(f"The database does not answer ({reason}). Start it, or correct DATABASE_URL.") from error
    if missing := len(executor.migration_plan(executor.loader.graph.leaf_nodes())):
        raise CommandError(f"The database lacks {missing} migrations. Run: {manage('migrate')}")


def redis_programs() -> list[Program]:
    """Return the bundled Redis, unless BROKER_URL names another broker."""
    if settings.BROKER_URL != settings.BUNDLED_BROKER_URL:
        return []
    place: Path = settings.BUNDLED_REDIS_SOCKET
    try:
        command = redis_server.command(place)
    except redis_server.NoRedisServer as error:
        raise CommandError(str(error)) from error
    if redis_server.answers(place):
        raise CommandError(
            f"Another `manage.py up` runs on {settings.DATA_DIR}: stop it, or set DATA_DIR to another directory."
        )
    return [
        Program(
            name="redis",
            command=command,
            is_ready=lambda: redis_server.answers(place),
            stops_last=True,
        )
    ]


def project_programs() -> list[Program]:
    """Return the relay, a worker for each queue, and the web server."""
    size = programs.pool_size(connection.vendor)
    return [
        Program(name="relay", command=programs.relay()),
        *(
            Program(name=queue, command=programs.worker(queue, app="project", processes=size))
            for queue in (*SERVICES, EXTERNAL)
        ),
        Program(
            name="web",
            command=programs.web("project.wsgi", address=f"{LOOPBACK}:{settings.PORT}"),
            is_ready=lambda: listens(settings.PORT),
            environment=web_environment(),
        ),
    ]


def web_environment() -> dict[str, str]:
    """Let the processes of the web server count requests together in the bundled Redis, if there is no other cache."""
    is_bundled = settings.BROKER_URL == settings.BUNDLED_BROKER_URL and "CACHE_URL" not in os.environ
    return {"CACHE_URL": settings.BUNDLED_BROKER_URL} if is_bundled else {}


def welcome_text() -> str:
    """Describe how to use the running system."""
    site = f"http://{LOOPBACK}:{settings.PORT}"
    environment = f"DATA_DIR={settings.DATA_DIR}" if "DATA_DIR" in os.environ else ""
    worker_command = f"{environment} {here('celery')} -A project worker -Q orders".strip()
    if demo_admin_can_log_in():
        log_in = f"{DEMO_ADMIN_EMAIL}, password {DEMO_ADMIN_PASSWORD}"
    else:
        log_in = f"create an account: {manage('createsuperuser')}"
    return "\n".join(
        (
            "",
            f"Orderly runs on {site}/",
            f"  admin     {site}/admin/   ({log_in})",
            f"  API       {site}/api/v1/products/",
            f"  a worker  {worker_command}",
            "  Ctrl-C stops everything",
        )
    )


def here(program: str) -> str:
    """Return the command that runs a program of this virtual environment from the current directory."""
    return os.path.relpath(Path(sys.executable).parent / program)


def manage(command: str) -> str:
    """Return the command that runs a management command with this Python."""
    return f"{os.path.relpath(sys.executable)} manage.py {command}"
