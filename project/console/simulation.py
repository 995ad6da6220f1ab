"""Places a plan's orders over HTTP, from several threads at once, and watches in the database how they end."""

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
from project.console.simulation_plan import Basket, Plan
from project.console.simulation_setup import ANSWER_LIMIT, Progress, SimulationFailed, chunks, token_of
from users.models import User

#: Seconds that a server has to come back, and without any news before waiting for it is given up.
RETURN_LIMIT, IDLE_LIMIT = 10.0, 60.0
#: Seconds between two looks at the answers, and at the database.
LOOK, POLL = 0.1, 0.25
#: A server may close a connection that was idle for 2 s; the request that meets that would fail.
KEEP_ALIVE = 1.0
#: So many reasons for failures are told apart.
REASONS = 20

#: What ends an order here; that a confirmed one is paid and shipped is another matter.
ENDS = (Status.CONFIRMED, Status.REJECTED, Status.CANCELLED)

#: An order to be placed and when, by the monotonic clock.
Ticket = tuple[float, Basket]
#: What clients report: the id of an order that was accepted, or why one was not.
Answers = SimpleQueue[UUID | str]


@dataclass(kw_only=True)
class Tally:
    """What has become of the orders so far."""

    accepted: int = 0
    #: How many were not accepted, by the reason.
    failures: Counter[str] = field(default_factory=Counter)
    #: How many accepted ones ended in each way; those in `waiting` have not ended yet.
    ended: Counter[str] = field(default_factory=Counter)
    waiting: set[UUID] = field(default_factory=set)
    #: Milliseconds from placing to confirmation.
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    first_placed: datetime | None = None
    last_ended: datetime | None = None

    @property
    def answered(self) -> int:
        """How many requests came to an end."""
        return self.accepted + self.failures.total()

    @property
    def per_second(self) -> float | None:
        """Orders that ended per second, from the first placing to the last end; None without any."""
        if self.first_placed is None or self.last_ended is None or self.last_ended <= self.first_placed:
            return None
        return self.ended.total() / (self.last_ended - self.first_placed).total_seconds()

    def percentile(self, percent: int) -> float | None:
        """So many per cent of the confirmations took at most so many milliseconds; None without any."""
        if not self.latencies:
            return None
        return sorted(self.latencies)[ceil(len(self.latencies) * percent / 100) - 1]


def run(
    plan: Plan,
    *,
    accounts: Mapping[str, User],
    base_url: str,
    clients: int,
    rate: float | None,
    tally: Tally,
    progress: Progress,
) -> None:
    """Place all orders and wait for their ends; the tally says how far it came, also after an interruption.

    Args:
        clients: how many orders are placed at once.
        rate: how many are to be placed a second, however long the answers take; None for as many as the clients can.

    Raises:
        SimulationFailed: the server is gone, or no waiting order ends any more.
    """
    answers: Answers = SimpleQueue()
    stop = Event()
    next_ticket = dealer(tickets(plan.baskets(), rate=rate))

    def client() -> None:
        place_orders(next_ticket, accounts=accounts, base_url=base_url, answers=answers, stop=stop)

    try:
        with ThreadPoolExecutor(clients) as pool:
            try:
                placing = [pool.submit(client) for _ in range(clients)]
                watch(placing, orders=plan.orders, answers=answers, tally=tally, progress=progress)
            finally:
                stop.set()  # what is on its way to the server is still waited for
    finally:
        take(answers, tally=tally)
        look_up_ends(tally)


def tickets(baskets: Iterable[Basket], *, rate: float | None) -> Iterator[Ticket]:
    """The orders with their times: evenly spaced, or all at once."""
    start = time.monotonic()
    for number, basket in enumerate(baskets):
        yield start + number / rate if rate else start, basket


def dealer(tickets: Iterator[Ticket]) -> Callable[[], Ticket | None]:
    """Deals the tickets to several threads, one by one; None when there are no more."""
    lock = Lock()

    def next_ticket() -> Ticket | None:
        with lock:
            return next(tickets, None)

    return next_ticket


def place_orders(
    next_ticket: Callable[[], Ticket | None],
    *,
    accounts: Mapping[str, User],
    base_url: str,
    answers: Answers,
    stop: Event,
) -> None:
    """Place orders one after the other over one connection, until there are no more or it is to stop.

    Raises:
        SimulationFailed: the server is gone.
    """
    limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE)
    with httpx.Client(base_url=base_url, timeout=ANSWER_LIMIT, trust_env=False, limits=limits) as client:
        while not stop.is_set() and (ticket := next_ticket()) is not None:
            due, basket = ticket
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            try:
                answers.put(place(client, basket, account=accounts[basket.customer], stop=stop))
            except httpx.ConnectError as error:
                raise SimulationFailed(f"The server at {base_url} is gone ({error}).") from error
            except httpx.HTTPError as error:
                answers.put(f"no answer ({type(error).__name__})")


def place(client: httpx.Client, basket: Basket, *, account: User, stop: Event) -> UUID | str:
    """Place one order: its id, or why it was not accepted.

    Raises:
        httpx.ConnectError: nobody has listened for a while.
        httpx.HTTPError: there was no answer, so it may have been accepted or not.
    """
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in basket.units.items()]
    deadline = time.monotonic() + RETURN_LIMIT
    while True:
        try:
            answer = client.post("orders/", headers=token_of(account), json={"lines": lines})
        except httpx.ConnectError:
            # Nothing was sent, so it can be sent again: the server may be about to come back.
            if stop.wait(LOOK) or time.monotonic() > deadline:
                raise
        else:
            return UUID(answer.json()["id"]) if answer.status_code == httpx.codes.CREATED else refusal(answer)


def refusal(answer: httpx.Response) -> str:
    """What a problem document says, or at least the status."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return f"{answer.status_code} {answer.reason_phrase}"
    problem = answer.json()
    details = [f"{error['field']}: {error['detail']}" for error in problem.get("errors", ())]
    return f"{answer.status_code} {'; '.join(details[:3]) or problem['detail']}"


def watch(placing: Sequence[Future[None]], *, orders: int, answers: Answers, tally: Tally, progress: Progress) -> None:
    """Count answers and ends until every order has both.

    Raises:
        SimulationFailed: for a while there was no news, or a client gave up.
    """
    news, news_at, poll_at = (0, 0), time.monotonic(), 0.0
    while True:
        running = [client for client in placing if not client.done()]
        take(answers, tally=tally)
        if time.monotonic() >= poll_at:
            asked_at = time.monotonic()
            look_up_ends(tally)
            # However long the list is: most of the database's time is for the orders.
            poll_at = time.monotonic() + max(POLL, 3 * (time.monotonic() - asked_at))
        progress("placed", tally.answered, orders, f"{tally.failures.total()} failed")
        progress("settled", tally.ended.total(), orders, ", ".join(f"{tally.ended[end]} {end}" for end in ENDS))
        for client in placing:
            if client.done():
                client.result()  # raises what made it give up
        if not running and not tally.waiting:
            return
        if news != (tally.answered, tally.ended.total()):
            news, news_at = (tally.answered, tally.ended.total()), time.monotonic()
        elif tally.waiting and time.monotonic() - news_at > IDLE_LIMIT:
            raise SimulationFailed(
                f"No news for {IDLE_LIMIT:g} s, and {len(tally.waiting)} orders wait: the relay or a worker does not "
                "run (manage.py up starts them), or something is dead (manage.py bus_status)."
            )
        time.sleep(LOOK)


def take(answers: Answers, *, tally: Tally) -> None:
    """Count the answers that are there."""
    while not answers.empty():
        answer = answers.get()
        if isinstance(answer, UUID):
            tally.accepted += 1
            tally.waiting.add(answer)
        else:
            known = answer in tally.failures or len(tally.failures) < REASONS
            tally.failures[answer if known else "other reasons"] += 1


def look_up_ends(tally: Tally) -> None:
    """Count the orders that have ended since."""
    for chunk in chunks(list(tally.waiting)):
        ends = OrderChange.objects.filter(order__in=chunk, to_status__in=ENDS).order_by("order", "sequence")
        for order_id, status, at, placed_at in ends.values_list("order_id", "to_status", "at", "order__placed_at"):
            if order_id not in tally.waiting:
                continue  # a step after the one that ended it
            tally.waiting.remove(order_id)
            tally.ended[status] += 1
            if status == Status.CONFIRMED:
                tally.latencies.append((at - placed_at).total_seconds() * 1000)
            tally.first_placed = min(tally.first_placed or placed_at, placed_at)
            tally.last_ended = max(tally.last_ended or at, at)
