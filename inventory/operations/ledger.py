"""The only way to change the figures of a stock row: together with a movement in the ledger."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from django.db import DatabaseError

from inventory.models import Movement
from project.sql import Rows, execute_together, is_at, place_type


class StockFigures(Protocol):
    """The figures of a locked stock row: a model instance, or a smaller object."""

    pk: Any
    on_hand: int
    reserved: int


class NewMovement(NamedTuple):
    """A movement to write; `inventory.models.Movement` describes its fields."""

    stock_id: int
    kind: str
    on_hand_delta: int
    reserved_delta: int
    on_hand_after: int
    reserved_after: int
    order_id: UUID | None
    event_id: UUID | None
    actor_id: UUID | None
    reason: str


def change(
    stock: StockFigures,
    kind: Movement.Kind,
    *,
    on_hand: int = 0,
    reserved: int = 0,
    order_id: UUID | None = None,
    event_id: UUID | None = None,
    actor_id: UUID | None = None,
    reason: str = "",
) -> NewMovement:
    """Change the figures of a locked stock row in memory, and return the movement for `write_movements` to write.

    Example:
        write_movements([change(stock, Movement.Kind.RECEIVED, on_hand=40, reason="delivery 1207")])
    """
    stock.on_hand += on_hand
    stock.reserved += reserved
    return NewMovement(
        stock.pk, kind.value, on_hand, reserved, stock.on_hand, stock.reserved, order_id, event_id, actor_id, reason
    )


def write_movements(
    entries: Sequence[NewMovement], *, reserving: bool = False, places: Mapping[int, Any] | None = None
) -> None:
    """Write movements and apply them to their stock rows, which the caller has locked, in one round trip.

    Args:
        reserving: also write each movement as a reservation.
        places: by id, where each stock row was stored when it was locked (project/sql.py, `place_column`).

    Raises:
        DatabaseError: a stock row is missing; the caller must roll back.
    """
    if not entries:
        return
    stock_ids = {entry.stock_id for entry in entries}
    statements = [_LEDGER, _RESERVATIONS] if reserving else [_LEDGER]
    tables = {"entry": Rows(_COLUMNS, (entry._asdict() for entry in entries))}
    if places is None:
        statements.append(_FIGURES.format(placed=""))
    else:
        statements.append(_FIGURES.format(placed="AND " + is_at("stock", "SELECT at FROM place")))  # noqa: S608
        tables["place"] = Rows({"at": place_type()}, ({"at": places[stock_id]} for stock_id in stock_ids))
    changed = {stock_id for (stock_id,) in execute_together(*statements, **tables)}
    if missing := stock_ids - changed:
        raise DatabaseError(
            f"the stock rows {sorted(missing)} are missing: lock them before you change them, then retry"
        )


_COLUMNS = {
    "stock_id": "bigint",
    "kind": "text",
    "on_hand_delta": "bigint",
    "reserved_delta": "bigint",
    "on_hand_after": "bigint",
    "reserved_after": "bigint",
    "order_id": "uuid",
    "event_id": "uuid",
    "actor_id": "uuid",
    "reason": "text",
}
_LEDGER = f"INSERT INTO inventory_movement ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} FROM entry"  # noqa: S608
# By place where it is known: a search by id visits every version of the row that an old snapshot keeps, which locking
# the row has done already.
_FIGURES = """
    UPDATE inventory_stock AS stock
    SET on_hand = stock.on_hand + moved.on_hand, reserved = stock.reserved + moved.reserved
    FROM (
        SELECT stock_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved FROM entry GROUP BY stock_id
    ) AS moved
    WHERE stock.id = moved.stock_id {placed} RETURNING id
"""
_RESERVATIONS = """
    INSERT INTO inventory_reservation (allocation_id, stock_id, quantity)
    SELECT order_id, stock_id, reserved_delta FROM entry
"""
