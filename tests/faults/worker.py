"""Fault points in workers: celery ... worker -I tests.faults.worker. docs/bus.md has the steps between them."""

from typing import Any

from django.db import connection, transaction

from project.bus.worker import claims, consumer
from tests.faults.fault_points import reached, record_clock

_claim_fresh, _run = claims.claim_fresh, consumer._run


def claim_fresh(*, handler: Any, **arguments: Any) -> Any:
    """Claim; a test may kill this process before the COMMIT of the claim, or between claim and handler."""
    with transaction.atomic():
        claimed = _claim_fresh(handler=handler, **arguments)
        if claimed:
            reached("claiming", handler=handler.name)
    if claimed:
        reached("claimed", handler=handler.name)
    return claimed


def run(handler: Any, readable: Any) -> int:
    """Handle; a test may kill this process between the effects and the COMMIT, or after the COMMIT."""
    with transaction.atomic():
        done = _run(handler, readable)
        reached("handling", handler=handler.name)
        if connection.needs_rollback:
            raise RuntimeError("the handler's transaction is broken")
    reached("handled", handler=handler.name)
    return done


# The consumer calls both by these names of its module.
vars(consumer).update(claim_fresh=claim_fresh, _run=run)
record_clock()
