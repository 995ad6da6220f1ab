"""Places the orders of a plan over HTTP from several threads, and watches in the database how they are settled."""

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from queue import SimpleQueue
from threading import Event, Lock
from uuid import UUID

import httpx

from orders.models import OrderChange, Status
from project.demo.progress import Progress
from project.demo.simulation_plan import Basket, Plan
from project.demo.simulation_setup import ANSWER_LIMIT_S, SimulationFailed, authorization, in_batches
from users.models import User

#: For a server to come back, and for anything to happen while orders wait.
RECONNECT_LIMIT_S, NO_NEWS_LIMIT_S = 10.0, 60.0
#: Between two reads of the answers, and of the database.
ANSWERS_INTERVAL_S, DATABASE_INTERVAL_S = 0.1, 0.25
#: Shorter than the 2 s after which a server may close an idle connection: a request on a closed one fails.
KEEP_ALIVE_S = 1.0
#: Failures are counted by reason, for at most this many reasons.
MAX_REASONS = 20

#: Types of problem documents: wait, or what to set on the server.
TOO_MANY_CALLS = "urn:orderly:problem:too-many-unsafe-calls"
QUOTA_SETTINGS = {
    "urn:orderly:problem:too-many-open-orders": "MAX_OPEN_ORDERS",
    "urn:orderly:problem:too-many-held-units": "MAX_HELD_UNITS",
}

#: Statuses in which an order counts as settled here, although a confirmed one goes on to be paid and shipped.
FINAL_STATUSES = (Status.CONFIRMED, Status.REJECTED, Status.CANCELLED)

#: When to place an order, by the monotonic clock, and the order.
ScheduledOrder = tuple[float, Basket]
#: Clients report the id of an accepted order, or why an order was not accepted.
Answers = SimpleQueue[UUID | str]


@dataclass(kw_only=True)
class Tally:
    """The results so far."""

    accepted: int = 0
    #: Orders that were not accepted, by reason.
    failures: Counter[str] = field(default_factory=Counter)
    #: Accepted orders that are settled, by status; the others are in `waiting`.
    ended: Counter[str] = field(default_factory=Counter)
    waiting: set[UUID] = field(default_factory=set)
    #: Milliseconds from placing to confirmation.
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    first_placed: datetime | None = None
    last_ended: datetime | None = None

    @property
    def answered(self) -> int:
        return self.accepted + self.failures.total()

    @property
    def per_second(self) -> float | None:
        """Settled orders per second, from the first placed to the last settled; None without any."""
        if self.first_placed is None or self.last_ended is None or self.last_ended <= self.first_placed:
            return None
        return self.ended.total() / (self.last_ended - self.first_placed).total_seconds()

    def percentile(self, percent: int) -> float | None:
        """Milliseconds within which `percent` of the confirmations came; None without any."""
        if not self.latencies:
            return None
        return sorted(self.latencies)[ceil(len(self.latencies) * percent / 100) - 1]


def place_and_watch(
    plan: Plan,
    *,
    accounts: Mapping[str, User],
    base_url: str,
    clients: int,
    rate: float | None,
    tally: Tally,
    progress: Progress,
) -> None:
    """Place all orders and wait until they are settled. The tally has the results, even after an interruption.

    Args:
        clients: orders placed at once.
        rate: orders placed per second, however long the answers take; None for as many as the clients can.

    Raises:
        SimulationFailed: the server no longer answers, or waiting orders are no longer settled.
    """
    answers: Answers = SimpleQueue()
    stop = Event()
    next_order = thread_safe(schedule(plan.baskets(), rate=rate))

    def client() -> None:
        run_client(next_order, accounts=accounts, base_url=base_url, answers=answers, stop=stop)

    try:
        with ThreadPoolExecutor(clients) as pool:
            try:
                placing = [pool.submit(client) for _ in range(clients)]
                watch(placing, orders=plan.orders, answers=answers, tally=tally, progress=progress)
            finally:
                stop.set()  # requests that are already sent are still waited for
    finally:
        count_answers(answers, tally=tally)
        count_ended(tally)


def schedule(baskets: Iterable[Basket], *, rate: float | None) -> Iterator[ScheduledOrder]:
    """Yield the orders with their times: evenly spaced, or all at once."""
    start = time.monotonic()
    for number, basket in enumerate(baskets):
        yield start + number / rate if rate else start, basket


def thread_safe(schedule: Iterator[ScheduledOrder]) -> Callable[[], ScheduledOrder | None]:
    """Return a function by which several threads take orders one by one; it returns None at the end."""
    lock = Lock()

    def next_order() -> ScheduledOrder | None:
        with lock:
            return next(schedule, None)

    return next_order


def run_client(
    next_order: Callable[[], ScheduledOrder | None],
    *,
    accounts: Mapping[str, User],
    base_url: str,
    answers: Answers,
    stop: Event,
) -> None:
    """Place orders one by one over one connection, until there are no more or `stop` is set.

    Raises:
        SimulationFailed: the server no longer answers.
    """
    limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE_S)
    with httpx.Client(base_url=base_url, timeout=ANSWER_LIMIT_S, trust_env=False, limits=limits) as client:
        while not stop.is_set() and (order := next_order()) is not None:
            due, basket = order
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            try:
                answers.put(place(client, basket, account=accounts[basket.customer], stop=stop))
            except httpx.ConnectError as error:
                raise SimulationFailed(f"The server at {base_url} no longer answers ({error}).") from error
            except httpx.HTTPError as error:
                answers.put(f"no answer ({type(error).__name__})")


def place(client: httpx.Client, basket: Basket, *, account: User, stop: Event) -> UUID | str:
    """Place one order, and return its id or why it was not accepted. Where the server says to wait, wait.

    Raises:
        httpx.ConnectError: no server listened for RECONNECT_LIMIT_S.
        httpx.HTTPError: no answer came, so the order may be accepted or not.
    """
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in basket.units.items()]
    deadline = time.monotonic() + RECONNECT_LIMIT_S
    while True:
        try:
            answer = client.post("orders/", headers=authorization(account), json={"lines": lines})
        except httpx.ConnectError:
            # Nothing was sent, so it is safe to retry: the server may be restarting.
            if stop.wait(ANSWERS_INTERVAL_S) or time.monotonic() > deadline:
                raise
        else:
            if problem_type(answer) == TOO_MANY_CALLS and not stop.wait(int(answer.headers["retry-after"])):
                deadline = time.monotonic() + RECONNECT_LIMIT_S
                continue
            return UUID(answer.json()["id"]) if answer.status_code == httpx.codes.CREATED else refusal(answer)


def problem_type(answer: httpx.Response) -> str:
    """Return the type of a problem document; empty for any other answer."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return ""
    return str(answer.json()["type"])


def refusal(answer: httpx.Response) -> str:
    """Describe a refusal by its problem document, or at least by its status."""
    kind = problem_type(answer)
    if not kind:
        return f"{answer.status_code} {answer.reason_phrase}"
    if kind in QUOTA_SETTINGS:
        setting = QUOTA_SETTINGS[kind]
        return f"{answer.status_code} the customer exceeds {setting}: give the server a higher one"
    problem = answer.json()
    details = [f"{error['field']}: {error['detail']}" for error in problem.get("errors", ())]
    return f"{answer.status_code} {'; '.join(details[:3]) or problem['detail']}"


def watch(placing: Sequence[Future[None]], *, orders: int, answers: Answers, tally: Tally, progress: Progress) -> None:
    """Count answers and settled orders until every order is settled.

    Raises:
        SimulationFailed: nothing happened for NO_NEWS_LIMIT_S, or a client failed.
    """
    news, news_at, poll_at = (0, 0), time.monotonic(), 0.0
    while True:
        running = [client for client in placing if not client.done()]
        count_answers(answers, tally=tally)
        if time.monotonic() >= poll_at:
            asked_at = time.monotonic()
            count_ended(tally)
            # The slower the query, the rarer: most of the database's time is for the orders.
            poll_at = time.monotonic() + max(DATABASE_INTERVAL_S, 3 * (time.monotonic() - asked_at))
        progress("placed", tally.answered, orders, f"{tally.failures.total()} failed")
        progress(
            "settled", tally.ended.total(), orders, ", ".join(f"{tally.ended[end]} {end}" for end in FINAL_STATUSES)
        )
        for client in placing:
            if client.done():
                client.result()  # raises its error
        if not running and not tally.waiting:
            return
        if news != (tally.answered, tally.ended.total()):
            news, news_at = (tally.answered, tally.ended.total()), time.monotonic()
        elif tally.waiting and time.monotonic() - news_at > NO_NEWS_LIMIT_S:
            raise SimulationFailed(
                f"Nothing happened for {NO_NEWS_LIMIT_S:g} s, and {len(tally.waiting)} orders wait: the relay or a "
                "worker does not run (manage.py up starts them), or deliveries are dead (manage.py bus status)."
            )
        time.sleep(ANSWERS_INTERVAL_S)


def count_answers(answers: Answers, *, tally: Tally) -> None:
    """Count the answers that have come."""
    while not answers.empty():
        answer = answers.get()
        if isinstance(answer, UUID):
            tally.accepted += 1
            tally.waiting.add(answer)
        else:
            known = answer in tally.failures or len(tally.failures) < MAX_REASONS
            tally.failures[answer if known else "other reasons"] += 1


def count_ended(tally: Tally) -> None:
    """Count the orders that have been settled since."""
    for chunk in in_batches(list(tally.waiting)):
        ends = OrderChange.objects.filter(order__in=chunk, to_status__in=FINAL_STATUSES).order_by("order", "sequence")
        for order_id, status, at, placed_at in ends.values_list("order_id", "to_status", "at", "order__placed_at"):
            if order_id not in tally.waiting:
                continue  # a later change of an order that is counted already
            tally.waiting.remove(order_id)
            tally.ended[status] += 1
            if status == Status.CONFIRMED:
                tally.latencies.append((at - placed_at).total_seconds() * 1000)
            tally.first_placed = min(tally.first_placed or placed_at, placed_at)
            tally.last_ended = max(tally.last_ended or at, at)
