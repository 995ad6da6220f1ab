"""Comparing stock with its ledger: which figures differ, by how much, and since when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Max, Sum

from inventory.models import Movement, Reservation


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A figure of one stock row that differs from the ledger."""

    sku: str
    location: str
    figure: str
    found: int
    expected: int
    #: Each change past the ledger: by how much, and between which movements or for which order.
    since: Sequence[str]

    @property
    def difference(self) -> int:
        return self.found - self.expected


def find_drift() -> list[Drift]:
    """Find every figure that differs from the ledger.

    `on_hand` and `reserved` must equal the sums of their movements, and the active reservations must equal the reserved
    movements. All figures come from one statement, so orders may be served meanwhile.
    """
    drifts = []
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE)
        rows = cursor.fetchall()
    for stock_id, sku, location, on_hand, reserved, on_hand_moved, reserved_moved, kept in rows:
        checks = (
            ("on hand", on_hand, on_hand_moved, _discrepancies(stock_id, "on_hand", on_hand)),
            ("reserved", reserved, reserved_moved, _discrepancies(stock_id, "reserved", reserved)),
            ("active reservations", kept, reserved_moved, _differing_orders(stock_id)),
        )
        drifts += [
            Drift(sku=sku, location=location, figure=figure, found=int(found), expected=int(expected), since=[*since])
            for figure, found, expected, since in checks
            if found != expected
        ]
    return drifts


def _discrepancies(stock_id: int, figure: str, found: int) -> Iterator[str]:
    """Describe each time that a figure changed without a movement: by how much, and between which movements.

    A movement says what the row held afterwards. Where that is not the sum of the movements so far, the row was changed
    past the ledger before it.
    """
    moved = gap = 0
    before: Movement | None = None
    for movement in Movement.objects.filter(stock=stock_id).order_by("id").iterator():
        moved += getattr(movement, f"{figure}_delta")
        if (gap_now := getattr(movement, f"{figure}_after") - moved) != gap:
            yield f"{gap_now - gap:+} {f'after {_named(before)} and ' if before else ''}before {_named(movement)}"
        gap, before = gap_now, movement
    if rest := found - moved - gap:
        yield f"{rest:+} {f'after {_named(before)}, the last' if before else 'without any movement'}"


def _differing_orders(stock_id: int) -> Iterator[str]:
    """Describe each order whose active reservations differ from its movements."""
    moved = {
        order_id: (units, last)
        for order_id, units, last in Movement.objects.filter(stock=stock_id, order_id__isnull=False)
        .values_list("order_id")
        .annotate(units=Sum("reserved_delta"), last=Max("id"))
    }
    kept = dict(
        Reservation.objects.filter(stock=stock_id, state=Reservation.State.ACTIVE)
        .values_list("allocation_id")
        .annotate(units=Sum("quantity"))
    )
    for order_id in sorted(moved.keys() | kept.keys()):
        units, last = moved.get(order_id, (0, None))
        if units != kept.get(order_id, 0):
            since = f"after {_named(Movement.objects.get(pk=last))}" if last else "without any movement"
            yield f"order {order_id}: reservations {kept.get(order_id, 0)}, ledger {units}, {since}"


def _named(movement: Movement) -> str:
    return f"movement {movement.pk} ({movement.kind}, {movement.at:%Y-%m-%d %H:%M:%S})"


_COMPARE = """
    WITH moved AS (
        SELECT stock_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved
        FROM inventory_movement GROUP BY stock_id
    ), kept AS (
        SELECT stock_id, sum(quantity) AS units FROM inventory_reservation WHERE state = 'active' GROUP BY stock_id
    ), named AS (
        SELECT id FROM inventory_stock UNION SELECT stock_id FROM moved UNION SELECT stock_id FROM kept
    )
    SELECT named.id, coalesce(product.sku, 'no stock row ' || named.id), coalesce(location.code, ''),
        coalesce(stock.on_hand, 0), coalesce(stock.reserved, 0),
        coalesce(moved.on_hand, 0), coalesce(moved.reserved, 0), coalesce(kept.units, 0)
    FROM named
    LEFT JOIN inventory_stock stock ON stock.id = named.id
    LEFT JOIN inventory_product product ON product.id = stock.product_id
    LEFT JOIN inventory_location location ON location.id = stock.location_id
    LEFT JOIN moved ON moved.stock_id = named.id
    LEFT JOIN kept ON kept.stock_id = named.id
    WHERE coalesce(stock.on_hand, 0) <> coalesce(moved.on_hand, 0)
        OR coalesce(stock.reserved, 0) <> coalesce(moved.reserved, 0)
        OR coalesce(kept.units, 0) <> coalesce(moved.reserved, 0)
    ORDER BY product.sku, location.code, named.id
"""
