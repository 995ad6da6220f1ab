"""Orderly: orders and inventory on an event bus that loses nothing."""

import os
import sys

# Without it SIGTERM under a backlog stalled a worker for 30 s in half the runs; with it, SIGTERM is the soft shutdown
# that project/celery.py bounds. Billiard reads it once, when it is imported, which for a worker started by hand has
# happened by now: so such a worker starts over, as the same process with the same arguments.
if "REMAP_SIGTERM" not in os.environ:
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    if "celery.bin.celery" in sys.modules and "worker" in sys.argv:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

from project.celery import app as celery_app

__all__ = ["celery_app"]
