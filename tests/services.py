"""Services that a machine may lack: a test that needs one is skipped, or fails if REQUIRE_SERVICES is set."""

import os
import time

import pytest

#: Set in CI, where a missing service is an error.
REQUIRED = bool(os.environ.get("REQUIRE_SERVICES"))
#: Seconds within which each process has saved its coverage (tests/process_coverage.py).
COVERAGE_SAVED_S = 1.0


def need(available: object, *, what: str) -> None:
    """Skip or fail the test unless a service is available."""
    if not available:
        assert not REQUIRED, f"CI must have {what}"
        pytest.skip(f"this machine lacks {what}")


def need_rabbitmq() -> None:
    """Skip or fail the test unless RABBITMQ_URL names a RabbitMQ."""
    need(os.environ.get("RABBITMQ_URL"), what="a RabbitMQ that RABBITMQ_URL names")


def wait_for_coverage() -> None:
    """In `make coverage`, wait until processes that are about to be killed have saved what they executed."""
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        time.sleep(COVERAGE_SAVED_S)
