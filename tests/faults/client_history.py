"""A client that places orders over HTTP and records its own history of requests and answers.

In Jepsen's words (https://jepsen.io/consistency/histories), an attempt is acknowledged, cleanly refused, or unknown if
no answer came. An unknown attempt may have made an order; the verdict finds that order by its lines, which are unique.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from tests.faults.cluster import PRODUCTS, SCARCE
from tests.system import eventually

CUSTOMERS = 8
#: The digits of an attempt's number to this base are the quantities of its lines, so that no two attempts are alike.
QUANTITY_BASE = 4
#: Every n-th attempt also orders the scarce product, and every n-th acknowledged order is cancelled.
SCARCE_EVERY, CANCEL_EVERY = 13, 9
#: Concurrent threads that place orders, and how long each waits after an order.
THREADS, PAUSE_S = 4, 0.02
#: The client gives up after this time without an answer.
TIMEOUT_S = 20
#: No connection is kept: a request on one that the server is just closing gets no answer for no visible reason.
CONNECTION_LIMITS = httpx.Limits(max_keepalive_connections=0, max_connections=None)
PASSWORD = "correct horse battery staple"
#: When to ask for new tokens: they are valid for half an hour, and some campaigns last longer.
TOKEN_RENEWAL_S = 600


@dataclass(slots=True)
class Attempt:
    """An order that the client asked for."""

    number: int
    customer: UUID
    lines: dict[str, int]
    outcome: str = "unknown"
    status: int = 0
    order_id: UUID | None = None
    sent: float = 0.0
    seconds: float = 0.0
    #: The status of the answer to a cancellation: 0 if there was none, -1 without an answer, 200, 409, or another.
    cancel: int = 0
    #: Whether a fault of the web server or the database was active meanwhile, and one of the broker.
    may_fail: bool = False
    broker_down: bool = False
    #: Whether a fault placed it, perhaps in a crowd, so that its time is not a usual one.
    placed_by_fault: bool = False
    #: The fault that was active when it was sent.
    during: str = ""


@dataclass
class Conditions:
    """The faults that are active, as the campaign reports them."""

    may_fail: int = 0
    broker_down: int = 0
    during: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def active(self, *, may_fail: bool = False, broker_down: bool = False) -> Iterator[None]:
        """Have attempts marked with these conditions until the end of the block."""
        with self.lock:
            self.may_fail += may_fail
            self.broker_down += broker_down
        try:
            yield
        finally:
            with self.lock:
                self.may_fail -= may_fail
                self.broker_down -= broker_down


def lines_of(number: int) -> dict[str, int]:
    """The lines of an attempt: the digits of its number as quantities, each of another product."""
    lines, rest, place = {}, number + 1, 0
    while rest:
        rest, digit = divmod(rest, QUANTITY_BASE)
        if digit:
            lines[PRODUCTS[place]] = digit
        place += 1
    if number % SCARCE_EVERY == 0:
        lines[SCARCE] = 1
    return lines


class Client:
    """Places orders from several threads, as soon as they are granted."""

    def __init__(self, url: str, *, registered: Callable[[], None]) -> None:
        """Take the address of the web server.

        Args:
            registered: called when the customers are registered.
        """
        self.url = f"{url}/api/v1"
        self._registered = registered
        self.history: list[Attempt] = []
        self.conditions = Conditions()
        self._granted = threading.Semaphore(0)
        self._number = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        #: By customer.
        self.tokens: dict[UUID, str] = {}
        self._logged_in_at = 0.0
        self._logging_in = threading.Lock()
        self.customers: list[UUID] = []
        #: What ended a thread: mistakes of the client, not of the system.
        self.errors: list[BaseException] = []
        #: Granted orders that have not been tried to the end.
        self._open = 0
        #: For orders that other threads place.
        self._http = httpx.Client(trust_env=False, timeout=TIMEOUT_S, limits=CONNECTION_LIMITS)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        """Register the customers and start the threads."""
        with httpx.Client(trust_env=False, timeout=30) as http:
            for number in range(CUSTOMERS):
                body = {"email": _email(number), "password": PASSWORD, "name": f"Customer {number}"}
                self.customers.append(UUID(http.post(f"{self.url}/users/", json=body).raise_for_status().json()["id"]))
        self._registered()
        self.renew_tokens()
        for thread in self._threads:
            thread.start()

    def renew_tokens(self) -> None:
        """Replace old tokens, retrying while a fault is active."""
        with self._logging_in:
            if not self.tokens or time.monotonic() - self._logged_in_at > TOKEN_RENEWAL_S:
                with httpx.Client(trust_env=False, timeout=TIMEOUT_S) as http:
                    self.tokens = {
                        customer: self._token(http, _email(number)) for number, customer in enumerate(self.customers)
                    }
                self._logged_in_at = time.monotonic()

    def _token(self, http: httpx.Client, email: str) -> str:
        def answer() -> str:
            with suppress(httpx.HTTPError):
                token = http.post(f"{self.url}/auth/token/", json={"email": email, "password": PASSWORD})
                return str(token.raise_for_status().json()["access"])
            time.sleep(1)  # the API limits logins per minute
            return ""

        return str(eventually(answer, within=60, what=f"{email} logs in"))

    def grant(self, orders: int) -> None:
        """Allow this many more orders."""
        with self._lock:
            self._open += orders
        self._granted.release(orders)

    @contextmanager
    def steady_load(self, *, every: float) -> Iterator[None]:
        """Grant one order at each interval until the end of the block."""
        ended = threading.Event()

        def load() -> None:
            while not ended.wait(every):
                self.grant(1)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def place(self, *, more: Mapping[str, int] | None = None, backwards: bool = False) -> Attempt:
        """Place one order at once, in the caller's thread.

        Args:
            more: lines besides those that make the order unique.
            backwards: send the lines in the opposite order.
        """
        attempt = self._attempt()
        attempt.placed_by_fault = True
        attempt.lines.pop(SCARCE, None)  # the caller expects the order to be confirmed
        attempt.lines |= more or {}
        if backwards:
            attempt.lines = dict(reversed(attempt.lines.items()))
        self._place(self._http, attempt)
        return attempt

    def cancel(self, attempt: Attempt) -> None:
        """Cancel an order."""
        self._cancel(self._http, attempt)

    def is_idle(self) -> bool:
        """Whether every granted order has been tried."""
        if self.errors:
            raise self.errors[0]
        with self._lock:
            return self._open == 0

    def stop(self) -> Sequence[Attempt]:
        """Stop the threads; the history."""
        self._ended.set()
        self._granted.release(len(self._threads))
        for thread in self._threads:
            thread.join(timeout=60)
        self._http.close()
        if self.errors:
            raise self.errors[0]
        return self.history

    def _work(self) -> None:
        try:
            with httpx.Client(trust_env=False, timeout=TIMEOUT_S, limits=CONNECTION_LIMITS) as http:
                while True:
                    self._granted.acquire()
                    if self._ended.is_set():
                        return
                    try:
                        attempt = self._attempt()
                        self._place(http, attempt)
                        if attempt.order_id and attempt.number % CANCEL_EVERY == 0:
                            self._cancel(http, attempt)
                    finally:
                        with self._lock:
                            self._open -= 1
                    self._ended.wait(PAUSE_S)
        except BaseException as error:  # noqa: BLE001 - stop() raises it, in the thread that can act on it
            self.errors.append(error)

    def _attempt(self) -> Attempt:
        with self._lock:
            number, self._number = self._number, self._number + 1
            attempt = Attempt(number=number, customer=self.customers[number % CUSTOMERS], lines=lines_of(number))
            self.history.append(attempt)
        return attempt

    def _headers(self, attempt: Attempt) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[attempt.customer]}"}

    def _place(self, http: httpx.Client, attempt: Attempt) -> None:
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in attempt.lines.items()]
        attempt.sent, attempt.during = time.monotonic(), self.conditions.during
        self._mark_conditions(attempt)
        try:
            answer = http.post(f"{self.url}/orders/", json={"lines": lines}, headers=self._headers(attempt))
        except httpx.TransportError:
            self._mark_conditions(attempt)
            return
        attempt.seconds, attempt.status = time.monotonic() - attempt.sent, answer.status_code
        self._mark_conditions(attempt)
        if answer.status_code == 201:
            attempt.outcome, attempt.order_id = "acknowledged", UUID(answer.json()["id"])
        elif answer.status_code < 500:
            attempt.outcome = "refused"

    def _cancel(self, http: httpx.Client, attempt: Attempt) -> None:
        url = f"{self.url}/orders/{attempt.order_id}/cancel/"
        try:
            attempt.cancel = http.post(url, json={"reason": "test"}, headers=self._headers(attempt)).status_code
        except httpx.TransportError:
            attempt.cancel = -1

    def _mark_conditions(self, attempt: Attempt) -> None:
        attempt.may_fail |= self.conditions.may_fail > 0
        attempt.broker_down |= self.conditions.broker_down > 0


def _email(number: int) -> str:
    return f"customer{number}@example.org"
