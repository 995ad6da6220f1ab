"""What the bus asks of a database: one protocol, which each module of this package implements."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from django.db import models


class Claim(NamedTuple):
    """A delivery that this worker has claimed, with its event as stored.

    `attempts` is the fence: each claim counts it up, so a worker that was away too long finds a higher number and
    changes nothing.
    """

    delivery_id: int
    attempts: int
    event_id: UUID
    type: str
    version: int
    sequence: int | None
    time: datetime
    data: str
    correlation_id: UUID
    traceparent: str
    #: Whether failures of the handler are counted: a success then resets its circuit breaker.
    failing: bool
    #: PostgreSQL: the physical place of the row, which no one else can change while the claim is valid.
    place: str | None = None


class HandlerHead(NamedTuple):
    """A handler's first due deliveries: their ids and due times, in seconds since 1970; None where nothing is due.

    SQLite tells no times: they are None, and `now` is 0.
    """

    handler: str
    queue: str
    fresh_id: int | None
    retry_id: int | None
    fresh_due: float | None
    retry_due: float | None
    #: The database's clock.
    now: float


#: The columns of a row set with their PostgreSQL types.
Columns = tuple[tuple[str, str], ...]


class Backend(Protocol):
    """Every statement of outbox, claims, settlement and relay, and the SQL that differs between databases.

    Each method runs on the bus's database. The methods that return SQL work with `statements.execute`.
    """

    #: Seconds until another worker may claim a delivery whose worker fell silent before its transaction began.
    lease_s: float

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""

    # The outbox.

    def insert_events(self, rows: str, *, delay_s: float) -> None:
        """Insert events, and a delivery for each active subscription, due after `delay_s`."""

    def insert_deliveries(self, pairs: Sequence[tuple[UUID, str]]) -> int:
        """Insert a delivery for each (event, handler), due now, unless one is owed. Return how many are inserted."""

    # The relay.

    def handler_heads(self, watermarks: Sequence[Mapping[str, Any]]) -> list[HandlerHead]:
        """The first due deliveries of each handler that is not paused and whose circuit is not open."""

    def commit_counter(self) -> int | None:
        """A number that changes when another process commits; None if the database has no such number."""

    # Claims.

    def claim_fresh(
        self, *, handler: str, since: float, limit: int, lease_s: float, durable: bool, probe: bool
    ) -> tuple[list[Claim], float | None]:
        """Claim up to `limit` due deliveries with no attempt so far, oldest first.

        Returns:
            The claims, in the order of publication, and the earliest due time among them if the database tells it.
        """

    def first_retry(self, *, handler: str, since: float) -> tuple[float | None, float | None]:
        """The due time of the handler's first due retry, if one is due, and the database's clock.

        SQLite tells no times: 0 means that one is due, and the clock is None.
        """

    def read_claims(self, *, handler: str, delivery_ids: Sequence[int]) -> list[Claim]:
        """Deliveries that are claimed already, as claims."""

    # Settlement.

    def ack(self, claims: Sequence[Claim], *, worker: str) -> set[int]:
        """Turn claimed deliveries into receipts within the open transaction. Return the ids that were still ours."""

    def count_failure(self, *, signature: str, handler: str, error: str) -> None:
        """Add one to the count of a failure's signature."""

    def trim_failures(self, *, signature: str, keep: int) -> None:
        """Delete all but the newest `keep` failures of a signature."""

    # Around them.

    def count_refused(self, rows: Sequence[tuple[str, str, int, str]]) -> None:
        """Add to the counts of refused messages: queue, reason, count and sample of each."""

    def limit_session(self) -> Mapping[str, str]:
        """Set the time-outs of a session that handles deliveries. Return the settings from before."""

    def unlimit_session(self, before: Mapping[str, str]) -> None:
        """Restore what `limit_session` returned."""

    def now(self) -> datetime:
        """The database's clock."""

    def estimated_rows(self, model: type[models.Model]) -> int:
        """An estimate of a table's rows that costs nothing; -1 if the database has none."""

    # Pieces of SQL for statements that handle whole sets.

    def recordset(self, columns: Columns, *, name: str) -> str:
        """A table that holds the rows of one JSON parameter."""

    def combine(self, statements: tuple[str, ...], row_sets: tuple[tuple[str, Columns], ...]) -> tuple[str, ...]:
        """Statements that select from named row sets, in as few round trips as the database allows.

        The parameters of each are the row sets' rows; the last one returns the rows of the last statement.
        """

    def is_among(self, column: str, type_: str) -> str:
        """The condition that a column's value is in a list."""

    def as_list(self, values: Sequence[Any]) -> Any:
        """The parameter for `is_among`."""

    def sql_now(self) -> str:
        """The time of the statement, as Django stores it."""

    def place_column(self, table: str) -> str:
        """The column that tells where a row is stored: the fastest way back to a locked row."""

    @property
    def place_type(self) -> str:
        """The type of `place_column`."""

    def is_at(self, table: str, places: str) -> str:
        """The condition that a row is stored at one of the places that a SELECT returns."""
