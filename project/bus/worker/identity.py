"""Identifies this process in receipts and failures."""

import os
import socket

_HOST = socket.gethostname()


def worker_name() -> str:
    """This process as host:pid. The pid is asked each time because a fork changes it."""
    return f"{_HOST}:{os.getpid()}"[-100:]
