"""The only way to change a stock row's figures: together with the movement that tells of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from django.db import DatabaseError

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


def record(entries: Sequence[Entry], *, reserving: bool = False, places: Mapping[int, str] | None = None) -> None:
    """Write entries and apply them to their stock rows, which the caller has locked: in one go, however many.

    Args:
        reserving: each entry reserves for an order, and becomes a reservation too.
        places: PostgreSQL: by id, where in the table each of the rows was (its ctid) when it was locked.

    Raises:
        DatabaseError: one of the rows is not there; nothing may be committed then.
    """
    if not entries:
        return
    stock_ids = {entry.stock_id for entry in entries}
    statements = [_LEDGER, _RESERVATIONS] if reserving else [_LEDGER]
    tables = {"entry": Table(_COLUMNS, as_json(entry._asdict() for entry in entries))}
    if places is None:
        statements.append(_FIGURES_BY_ID)
    else:
        statements.append(_FIGURES_BY_PLACE)
        tables["place"] = Table({"at": "tid"}, as_json({"at": places[stock_id]} for stock_id in stock_ids))
    changed = {stock_id for (stock_id,) in run_all(*statements, **tables)}
    if missing := stock_ids - changed:
        raise DatabaseError(f"the stock rows {sorted(missing)} are not there any more: lock them before, and try again")


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
_FIGURES_BY_ID = """
    UPDATE inventory_stock AS stock
    SET on_hand = stock.on_hand + moved.on_hand, reserved = stock.reserved + moved.reserved
    FROM (
        SELECT stock_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved FROM entry GROUP BY stock_id
    ) AS moved
    WHERE stock.id = moved.stock_id
    RETURNING id
"""
# Whoever looks for a row by its id passes all its versions that an old snapshot keeps; who locked it has passed them.
_FIGURES_BY_PLACE = _FIGURES_BY_ID.replace("RETURNING", "AND stock.ctid = ANY (ARRAY(SELECT at FROM place)) RETURNING")
_RESERVATIONS = """
    INSERT INTO inventory_reservation (allocation_id, stock_id, quantity)
    SELECT order_id, stock_id, reserved_delta FROM entry
"""
