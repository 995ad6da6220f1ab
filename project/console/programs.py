"""The commands by which processes are run. It reads no settings, so that whoever measures the system may ask, too."""

import sys


def pool_size(vendor: str) -> int:
    """How many processes the worker of a queue has: SQLite has one writer, for which a second would only wait."""
    return 1 if vendor == "sqlite" else 2


def worker(queue: str, *, app: str, processes: int | str) -> list[str]:
    """The worker of one queue.

    Args:
        app: the module with the Celery application.
    """
    # Celery warns root of messages that run code; ours are JSON and cannot.
    python = [sys.executable, "-W", "ignore:You're running the worker with superuser privileges"]
    options = ["-Q", queue, "-n", f"{queue}@%h", "-c", str(processes), "--loglevel", "INFO"]
    return [*python, "-m", "celery", "-q", "-A", app, "worker", *options]


def web(application: str, *, address: str, threads: int = 4) -> list[str]:
    """The web server.

    Args:
        application: the module with the WSGI or ASGI application.
        address: where it listens, as HOST:PORT.
        threads: how many requests each of its two processes handles at a time.
    """
    return [
        # Preloaded: it listens only once the application has been imported, so an answering port means that it works.
        *(sys.executable, "-m", "gunicorn", application, "--preload", "--no-control-socket"),
        *("--bind", address, "--workers", "2", "--threads", str(threads), "--graceful-timeout", "4"),
        *("--access-logfile", "-", "--access-logformat", "%(m)s %(U)s %(s)s %(M)s ms"),
    ]
