"""The copy of the products for sale, updated by events."""

from collections.abc import Sequence

from django.db import transaction

from project.events import ProductChanged
from project.sql import Rows, execute_together


@transaction.atomic
def keep_catalogue(*, changes: Sequence[ProductChanged]) -> None:
    """Copy changes of products in one statement, except where the copy is already newer.

    Raises:
        ValueError: a change has no sequence, so it cannot be compared with the copy.
    """
    newest: dict[str, tuple[int, ProductChanged]] = {}
    for change in changes:
        if change.sequence is None:
            raise ValueError(f"ProductChanged {change.id} of {change.sku} has no sequence: publish it with one")
        if change.sku not in newest or newest[change.sku][0] < change.sequence:
            newest[change.sku] = (change.sequence, change)
    # Ordered by SKU, so that two batches lock the same rows without a deadlock. Django's
    # bulk_create(update_conflicts=True) cannot update only older rows. SQLite needs the WHERE: without it, ON reads as
    # part of a join.
    execute_together(
        """
        INSERT INTO orders_catalogueitem (sku, name, price, currency, active, sequence)
        SELECT sku, name, price, currency, active, sequence FROM entry
        WHERE true ORDER BY sku
        ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price = excluded.price, currency = excluded.currency,
            active = excluded.active, sequence = excluded.sequence
        WHERE orders_catalogueitem.sequence < excluded.sequence
        """,
        entry=Rows(
            {
                "sku": "text",
                "name": "text",
                "price": "numeric(12, 2)",
                "currency": "text",
                "active": "boolean",
                "sequence": "bigint",
            },
            (
                {
                    "sku": sku,
                    "name": change.name,
                    "price": change.price,
                    "currency": change.currency,
                    "active": change.active,
                    "sequence": sequence,
                }
                for sku, (sequence, change) in newest.items()
            ),
        ),
    )
