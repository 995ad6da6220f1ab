"""Fault points in workers: celery ... worker -I tests.faults.worker. docs/bus.md has the steps they lie between."""

from typing import Any

from django.db import connection, transaction

from project.bus import consumer
from tests.faults.armed import reached, say_time

_claim_fresh, _run = consumer.claim_fresh, consumer._run


def claim_fresh(*, handler: Any, **arguments: Any) -> Any:
    """Claim; a test may have this process fall before the claim's COMMIT, or after it and before the handler."""
    with transaction.atomic():
        claims = _claim_fresh(handler=handler, **arguments)
        if claims:
            reached("claiming", handler=handler.name)
    if claims:
        reached("claimed", handler=handler.name)
    return claims


def run(handler: Any, readable: Any) -> int:
    """Handle; a test may have this process fall between the effects and the COMMIT, or after it."""
    with transaction.atomic():
        done = _run(handler, readable)
        reached("handling", handler=handler.name)
        if connection.needs_rollback:
            raise RuntimeError("the handler's transaction is broken")
    reached("handled", handler=handler.name)
    return done


consumer.claim_fresh, consumer._run = claim_fresh, run
say_time()
