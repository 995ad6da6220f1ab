"""Services that a machine may lack: what needs one is skipped there, or fails where nothing may be skipped."""

import os

import pytest

#: Whether nothing may be skipped, as in CI.
REQUIRED = bool(os.environ.get("REQUIRE_SERVICES"))


def need(there: object, *, what: str) -> None:
    """Go on only where something is there."""
    if not there:
        assert not REQUIRED, f"CI must have {what}"
        pytest.skip(f"this machine lacks {what}")


def need_rabbitmq() -> None:
    """Go on only where RABBITMQ_URL names a RabbitMQ."""
    need(os.environ.get("RABBITMQ_URL"), what="a RabbitMQ that RABBITMQ_URL names")
