"""Orderly: orders and inventory on an event bus that loses no event."""

import os
import sys

# Every process imports this package first, however it is started. What it writes is for its user alone: databases with
# password hashes, mails, sockets, logs, temporary files.
os.umask(0o077)

# With REMAP_SIGTERM, SIGTERM starts the soft shutdown that project/celery.py bounds. Without it, SIGTERM under a
# backlog stalled a worker for 30 s in half the runs. Billiard reads the variable once, on import, which has happened by
# now in a worker that was started manually. So such a worker executes itself again, as the same process with the same
# arguments.
if "REMAP_SIGTERM" not in os.environ:
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    if "celery.bin.celery" in sys.modules and "worker" in sys.argv:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

from django.core.exceptions import ImproperlyConfigured

#: How Celery and gunicorn exit when they cannot start. They would print a traceback first. manage.py does this itself.
EXIT_CODES = {"celery.bin.celery": 2, "gunicorn.app.base": 3}
try:
    from project.celery import app as celery_app
except ImproperlyConfigured as error:
    for program, code in EXIT_CODES.items():
        if program in sys.modules:
            sys.stderr.write(f"{error}\n")
            sys.exit(code)
    raise
from project.logs import escape_uncaught_exceptions

escape_uncaught_exceptions()

__all__ = ["celery_app"]
