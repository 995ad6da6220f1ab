"""Which process this is, for receipts and failures."""

import os
import socket

_HOST = socket.gethostname()


def worker_name() -> str:
    """This process as host:pid. The pid is asked each time, for it changes in a fork."""
    return f"{_HOST}:{os.getpid()}"[-100:]
