"""A client that places orders over HTTP and keeps its own journal of what it asked for and what it was told.

In Jepsen's words (https://jepsen.io/consistency/histories), an attempt ends acknowledged, cleanly refused, or unknown
when no answer came: then it may have happened or not, and which is found by its lines, that no other attempt has.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from tests.faults.cluster import PRODUCTS, SCARCE
from tests.system import eventually

CUSTOMERS = 8
#: Each attempt has one line more than its digits to this base, so that no two have the same lines.
BASE = 4
#: Every so many attempts is for the scarce product too, and every so many acknowledged orders is called off again.
SCARCE_EVERY, CANCEL_EVERY = 13, 9
#: How many place orders at once, and the seconds that each waits after one.
THREADS, PAUSE = 4, 0.02
#: Seconds without an answer after which the client gives up.
TIMEOUT = 20
#: No connection is kept: what is sent on one that the server is just closing gets no answer, and nobody knows why.
LIMITS = httpx.Limits(max_keepalive_connections=0, max_connections=None)
PASSWORD = "correct horse battery staple"
#: Seconds after which new tokens are asked for; one is good for half an hour, and some campaigns last longer.
RENEWED_AFTER = 600


@dataclass(slots=True)
class Attempt:
    """One order that the client asked for."""

    number: int
    customer: UUID
    lines: dict[str, int]
    outcome: str = "unknown"
    status: int = 0
    order_id: UUID | None = None
    sent: float = 0.0
    seconds: float = 0.0
    #: The answer to a request to call it off: 0 when there was none, 200, 409, or another.
    cancel: int = 0
    #: Whether a fault of the web server or the database was on meanwhile, and one of the broker.
    excused: bool = False
    broker_down: bool = False
    #: Whether a fault placed it, maybe among a crowd: the time that it took says nothing of the usual one.
    apart: bool = False
    #: The fault that was on when it was sent.
    during: str = ""


@dataclass
class Conditions:
    """What is wrong at the moment, as whoever injects faults says."""

    excused: int = 0
    broker_down: int = 0
    during: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def on(self, *, excused: bool = False, broker_down: bool = False) -> Iterator[None]:
        """While it lasts, attempts are marked so."""
        with self.lock:
            self.excused += excused
            self.broker_down += broker_down
        try:
            yield
        finally:
            with self.lock:
                self.excused -= excused
                self.broker_down -= broker_down


def lines_of(number: int) -> dict[str, int]:
    """The lines of an attempt: its number's digits as quantities, of one product each."""
    lines, rest, place = {}, number + 1, 0
    while rest:
        rest, digit = divmod(rest, BASE)
        if digit:
            lines[PRODUCTS[place]] = digit
        place += 1
    if number % SCARCE_EVERY == 0:
        lines[SCARCE] = 1
    return lines


class Client:
    """Places orders from several threads, as fast as it is granted orders to place."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/api/v1"
        self.journal: list[Attempt] = []
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
        #: What ended a thread: a mistake of the client, never a fault of the system.
        self.broken: list[BaseException] = []
        #: Orders that are granted and not tried to the end.
        self._open = 0
        #: For orders placed in other threads than its own.
        self._http = httpx.Client(trust_env=False, timeout=TIMEOUT, limits=LIMITS)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        """Register the customers and be ready to place orders."""
        with httpx.Client(trust_env=False, timeout=30) as http:
            for number in range(CUSTOMERS):
                body = {"email": _email(number), "password": PASSWORD, "name": f"Customer {number}"}
                self.customers.append(UUID(http.post(f"{self.url}/users/", json=body).raise_for_status().json()["id"]))
        self.stay_logged_in()
        for thread in self._threads:
            thread.start()

    def stay_logged_in(self) -> None:
        """Have tokens that are good for long enough, also while some fault makes that take several attempts."""
        with self._logging_in:
            if not self.tokens or time.monotonic() - self._logged_in_at > RENEWED_AFTER:
                with httpx.Client(trust_env=False, timeout=TIMEOUT) as http:
                    self.tokens = {
                        customer: self._token(http, _email(number)) for number, customer in enumerate(self.customers)
                    }
                self._logged_in_at = time.monotonic()

    def _token(self, http: httpx.Client, email: str) -> str:
        def answer() -> str:
            with suppress(httpx.HTTPError):
                token = http.post(f"{self.url}/auth/token/", json={"email": email, "password": PASSWORD})
                return str(token.raise_for_status().json()["access"])
            time.sleep(1)  # the API takes a number of logins a minute
            return ""

        return str(eventually(answer, within=60, what=f"{email} logs in"))

    def grant(self, orders: int) -> None:
        """Let so many more orders be placed."""
        with self._lock:
            self._open += orders
        self._granted.release(orders)

    @contextmanager
    def loading(self, *, every: float) -> Iterator[None]:
        """While it lasts, an order is placed every so many seconds."""
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
        """Place one order at once, in the caller's thread, and give what became of it.

        Args:
            more: lines besides those that make it differ from any other.
            backwards: ask for its lines in the opposite order.
        """
        attempt = self._attempt()
        attempt.apart = True
        attempt.lines.pop(SCARCE, None)  # whoever asks for these wants to know what becomes of them
        attempt.lines |= more or {}
        if backwards:
            attempt.lines = dict(reversed(attempt.lines.items()))
        self._place(self._http, attempt)
        return attempt

    def cancel(self, attempt: Attempt) -> None:
        """Call an order off."""
        self._cancel(self._http, attempt)

    def quiet(self) -> bool:
        """Whether every granted order has been tried."""
        if self.broken:
            raise self.broken[0]
        with self._lock:
            return self._open == 0

    def stop(self) -> Sequence[Attempt]:
        """End, and give the journal."""
        self._ended.set()
        self._granted.release(len(self._threads))
        for thread in self._threads:
            thread.join(timeout=60)
        self._http.close()
        if self.broken:
            raise self.broken[0]
        return self.journal

    def _work(self) -> None:
        try:
            with httpx.Client(trust_env=False, timeout=TIMEOUT, limits=LIMITS) as http:
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
                    self._ended.wait(PAUSE)
        except BaseException as error:  # noqa: BLE001 - told by stop(), in the thread that can act on it
            self.broken.append(error)

    def _attempt(self) -> Attempt:
        with self._lock:
            number, self._number = self._number, self._number + 1
            attempt = Attempt(number=number, customer=self.customers[number % CUSTOMERS], lines=lines_of(number))
            self.journal.append(attempt)
        return attempt

    def _headers(self, attempt: Attempt) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[attempt.customer]}"}

    def _place(self, http: httpx.Client, attempt: Attempt) -> None:
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in attempt.lines.items()]
        attempt.sent, attempt.during = time.monotonic(), self.conditions.during
        self._mark(attempt)
        try:
            answer = http.post(f"{self.url}/orders/", json={"lines": lines}, headers=self._headers(attempt))
        except httpx.TransportError:
            self._mark(attempt)
            return
        attempt.seconds, attempt.status = time.monotonic() - attempt.sent, answer.status_code
        self._mark(attempt)
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

    def _mark(self, attempt: Attempt) -> None:
        attempt.excused |= self.conditions.excused > 0
        attempt.broker_down |= self.conditions.broker_down > 0


def _email(number: int) -> str:
    return f"customer{number}@example.org"
