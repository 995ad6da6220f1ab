"""Whether this process lives, and whether the system around it works."""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from project.bus.health import bells_waiting, delays
from project.celery import EXTERNAL, SERVICES, app

#: Seconds to wait for the broker, and for the database, whose word takes a process out of service: a busy one is not
#: a missing one.
PATIENCE = 0.2
DATABASE_PATIENCE = 2.0
#: Seconds for which something may be due before relay or workers are said to lag.
LAG = 10.0

# A question that hangs keeps a thread until its own timeout ends it; however often it is asked, it keeps no more than
# these, and neither question keeps the other waiting.
_database = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readyz-database")
_broker = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readyz-broker")


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """This process answers; it asks nobody."""
    return JsonResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Whether orders can be taken, which needs the database alone; of the rest, what is wrong with it."""
    asked = time.monotonic()
    database_asked, broker_asked = _database.submit(ask_database), _broker.submit(ask_broker)
    database = answer(database_asked, within=DATABASE_PATIENCE)
    broker = answer(broker_asked, within=PATIENCE - (time.monotonic() - asked))
    ready = isinstance(database, dict)
    report = {
        "status": "ready" if ready else "not ready",
        "database": "ok" if ready else database,
        "broker": "ok" if isinstance(broker, dict) else broker,
        **(lag_of(delays=database, bells=broker) if isinstance(database, dict) else {}),
    }
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse(report, status=status, headers={"Cache-Control": "no-store"})


def ask_database() -> dict[str, float] | str:
    """For how long work has been due, by queue; or what is wrong with the database."""
    try:
        return delays()
    except (DatabaseError, InterfaceError) as error:
        return f"does not work: {type(error).__name__}"
    finally:
        # It is this thread's own, and nobody else would close it.
        connection.close()


def ask_broker() -> dict[str, int] | str:
    """How many bells wait, by queue; or what is wrong with the broker."""
    try:
        return bells_waiting(app, queues=(*SERVICES, EXTERNAL))
    except ConnectionError:
        return "does not answer"


def answer(question: Future[Any], *, within: float) -> Any:
    """What is answered within so many seconds, or that nothing is."""
    try:
        return question.result(timeout=max(within, 0))
    except TimeoutError:
        question.cancel()
        return "does not answer in time"


def lag_of(*, delays: Mapping[str, float], bells: Mapping[str, int] | str) -> dict[str, str]:
    """What long due work tells about relay and workers; when nothing is due it tells nothing against them."""
    late = {queue: seconds for queue, seconds in sorted(delays.items()) if seconds > LAG}
    if not late:
        return {"relay": "ok", "workers": "ok"}
    if isinstance(bells, str):
        unknown = f"cannot be told without the broker; work waits in {described(late)}"
        return {"relay": unknown, "workers": unknown}
    # The relay leaves a bell in the queue of whatever is due; a worker takes it out.
    unheard = {queue: seconds for queue, seconds in late.items() if bells.get(queue)}
    unrung = {queue: seconds for queue, seconds in late.items() if not bells.get(queue)}
    return {
        "relay": f"rings nobody, or nobody who is fast enough, for {described(unrung)}" if unrung else "ok",
        "workers": f"none takes the bells, or none is fast enough, in {described(unheard)}" if unheard else "ok",
    }


def described(late: Mapping[str, float]) -> str:
    """Queues, and for how long the first work in each has been due."""
    return ", ".join(f"{queue} (due for {seconds:.0f} s)" for queue, seconds in late.items())
