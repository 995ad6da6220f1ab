"""The command lines of the system's processes: the only place that has them."""

import sys

#: The class of the web server's worker processes.
WEB_WORKER = "project.console.harness.web_worker.WholeRequestWorker"
#: As a person types it; `relay()` adds the interpreter.
RELAY = ("manage.py", "bus", "relay")


def pool_size(vendor: str) -> int:
    """How many processes a worker has: on SQLite one, because a second would only wait for the single writer."""
    return 1 if vendor == "sqlite" else 2


def manage(*arguments: str) -> list[str]:
    """A management command."""
    return [sys.executable, "manage.py", *arguments]


def relay() -> list[str]:
    """The relay."""
    return [sys.executable, *RELAY]


def worker(queues: str, *, app: str, processes: int | str, name: str = "") -> list[str]:
    """A worker.

    Args:
        queues: one queue, or several with commas between them.
        app: the module of the Celery application.
        name: unique on its host; the queues by default.
    """
    # Celery warns root of messages that run code; ours are JSON and cannot.
    python = [sys.executable, "-W", "ignore:You're running the worker with superuser privileges"]
    options = ["-Q", queues, "-n", f"{name or queues}@%h", "-c", str(processes), "--loglevel", "INFO"]
    return [*python, "-m", "celery", "-q", "-A", app, "worker", *options]


def web(application: str, *, address: str, threads: int = 4) -> list[str]:
    """The web server.

    Args:
        application: the module of the WSGI or ASGI application.
        address: where it listens, as HOST:PORT.
        threads: how many requests each of its two processes handles at a time.
    """
    return [
        # Preloaded: it listens only after the application is imported, so a port that answers means that it works.
        *(sys.executable, "-m", "gunicorn", application, "--preload", "--no-control-socket"),
        *("--bind", address, "--workers", "2", "--threads", str(threads), "--graceful-timeout", "4"),
        # Higher than the API's own limit, which answers with a problem document.
        *("--limit-request-line", "8190"),
        # No client sets where the application is: a header SCRIPT_NAME would be a 500.
        *("--forwarder-headers", ""),
        *(("--worker-class", WEB_WORKER) if application.startswith("project.") else ()),
        *("--access-logfile", "-", "--access-logformat", "%(m)s %(U)s %(s)s %(M)s ms"),
    ]
