"""The only way to change a stock row's figures: together with the movement that tells of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from inventory.models import Movement
from project.bus.sql import Table, as_json, run_all


class Figures(Protocol):
    """A stock row's figures in hand: those of a model, or of less."""

    pk: Any
    on_hand: int
    reserved: int


class Entry(NamedTuple):
    """A line of the ledger that is yet to be written; inventory.models.Movement tells of its fields."""

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


def move(
    stock: Figures,
    kind: Movement.Kind,
    *,
    on_hand: int = 0,
    reserved: int = 0,
    order_id: UUID | None = None,
    event_id: UUID | None = None,
    actor_id: UUID | None = None,
    reason: str = "",
) -> Entry:
    """Change the figures of a locked stock row in hand; `record` writes the change and the entry returned."""
    stock.on_hand += on_hand
    stock.reserved += reserved
    return Entry(
        stock.pk, kind.value, on_hand, reserved, stock.on_hand, stock.reserved, order_id, event_id, actor_id, reason
    )


def record(entries: Sequence[Entry], *, reserving: bool = False) -> None:
    """Write entries and apply them to their stock rows, which the caller has locked: in one go, however many.

    Args:
        reserving: each entry reserves for an order, and becomes a reservation too.
    """
    if not entries:
        return
    statements = [_FIGURES, _LEDGER]
    if reserving:
        statements.append(_RESERVATIONS)
    run_all(*statements, entry=Table(_COLUMNS, as_json(entry._asdict() for entry in entries)))


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
_FIGURES = """
    UPDATE inventory_stock AS stock
    SET on_hand = stock.on_hand + moved.on_hand, reserved = stock.reserved + moved.reserved
    FROM (
        SELECT stock_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved FROM entry GROUP BY stock_id
    ) AS moved
    WHERE stock.id = moved.stock_id
"""
_RESERVATIONS = """
    INSERT INTO inventory_reservation (allocation_id, stock_id, quantity)
    SELECT order_id, stock_id, reserved_delta FROM entry
"""
