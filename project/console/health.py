"""Health checks: whether this process is alive, and whether the system works."""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from project.bus.errors import BrokerUnavailable
from project.bus.operator.health import bells_waiting, delays
from project.celery import EXTERNAL, SERVICES, app

#: For the broker, and for the database to answer. The database gets longer, because its silence takes the process out
#: of service.
BROKER_TIMEOUT_S = 0.2
DATABASE_TIMEOUT_S = 2.0
#: Deliveries due for longer than this mean that the relay or the workers lag.
LAG_S = 10.0

# A query that hangs blocks a thread until its own timeout. The pools bound the number of blocked threads, and keep the
# broker's queries from delaying the database's.
_database = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readyz-database")
_broker = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readyz-broker")


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """Answer without checking anything else."""
    return JsonResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Tell whether orders can be placed, which needs only the database, and report on broker, relay and workers."""
    asked = time.monotonic()
    database_asked, broker_asked = _database.submit(ask_database), _broker.submit(ask_broker)
    database = await_answer(database_asked, within=DATABASE_TIMEOUT_S)
    broker = await_answer(broker_asked, within=BROKER_TIMEOUT_S - (time.monotonic() - asked))
    ready = isinstance(database, dict)
    report = {
        "status": "ready" if ready else "not ready",
        "database": "ok" if ready else database,
        "broker": broker if isinstance(broker, str) else describe_queues(broker),
        **(lag_of(delays=database, bells=broker) if isinstance(database, dict) else {}),
    }
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse(report, status=status, headers={"Cache-Control": "no-store"})


def ask_database() -> dict[str, float] | str:
    """Return the seconds since the first delivery became due, by queue, or the database's error."""
    try:
        return delays()
    except (DatabaseError, InterfaceError) as error:
        return f"does not work: {type(error).__name__}"
    finally:
        # Nothing else closes this thread's own connection.
        connection.close()


def ask_broker() -> dict[str, int | None] | str:
    """Return the number of waiting bells by queue, None where it cannot be used, or the broker's error."""
    try:
        return bells_waiting(app, queues=(*SERVICES, EXTERNAL))
    except BrokerUnavailable:
        return "does not answer"


def describe_queues(bells: Mapping[str, int | None]) -> str:
    """Name the queues that cannot be used, if there are any."""
    unusable = [queue for queue, number in bells.items() if number is None]
    return f"refuses the use of {', '.join(unusable)}: see the log" if unusable else "ok"


def await_answer(question: Future[Any], *, within: float) -> Any:
    """Return the answer, or that none came within the given seconds."""
    try:
        return question.result(timeout=max(within, 0))
    except TimeoutError:
        question.cancel()
        return "does not answer in time"


def lag_of(*, delays: Mapping[str, float], bells: Mapping[str, int | None] | str) -> dict[str, str]:
    """Derive the state of relay and workers from overdue deliveries."""
    late = {queue: seconds for queue, seconds in sorted(delays.items()) if seconds > LAG_S}
    if not late:
        return {"relay": "ok", "workers": "ok"}
    if isinstance(bells, str):
        unknown = f"unknown without the broker; deliveries are due in {describe_delays(late)}"
        return {"relay": unknown, "workers": unknown}
    # The relay puts a bell into the queue of due deliveries, and a worker takes it out.
    not_taken = {queue: seconds for queue, seconds in late.items() if bells.get(queue)}
    not_rung = {queue: seconds for queue, seconds in late.items() if not bells.get(queue)}
    return {
        "relay": f"rings no bells, or too few, for {describe_delays(not_rung)}" if not_rung else "ok",
        "workers": f"none answers the bells, or too slowly, in {describe_delays(not_taken)}" if not_taken else "ok",
    }


def describe_delays(late: Mapping[str, float]) -> str:
    """List queues with the age of their oldest due delivery."""
    return ", ".join(f"{queue} (due for {seconds:.0f} s)" for queue, seconds in late.items())
