"""How passwords are hashed: at OWASP's parameters for Argon2, and few at a time."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher

from project.errors import Busy

#: How many passwords a process hashes at the same time, and the seconds that others wait for their turn.
PARALLEL = 2
MAX_WAIT_S = 3.0

slots = BoundedSemaphore(PARALLEL)


@contextmanager
def slot() -> Iterator[None]:
    """Wait for one of the slots.

    Raises:
        Busy: none became free in time, so that a queue of log-ins does not take all threads of the web server.
    """
    if not slots.acquire(timeout=MAX_WAIT_S):
        raise Busy("Too many passwords are being checked.", wait=math.ceil(MAX_WAIT_S))
    try:
        yield
    finally:
        slots.release()


class Argon2(Argon2PasswordHasher):
    """Argon2id with 19 MiB for each password, in a bounded number of threads.

    Django's own takes 100 MiB. Its hashes are still accepted, and are replaced when their owner logs in.
    """

    memory_cost = 19_456
    time_cost = 2
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with slot():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> Any:
        with slot():
            return super().verify(password, encoded)
