"""The copy of what is for sale, kept by events."""

from collections.abc import Sequence

from django.db import transaction

from project.bus.sql import as_json, recordset, run
from project.events import ProductChanged


@transaction.atomic
def keep_catalogue(*, changes: Sequence[ProductChanged]) -> None:
    """Copy what has changed of products, unless the copy is of a later state already: one statement.

    Raises:
        ValueError: a change without a sequence, so nobody can tell whether it is the latest.
    """
    newest: dict[str, tuple[int, ProductChanged]] = {}
    for change in changes:
        if change.sequence is None:
            raise ValueError(f"ProductChanged {change.id} of {change.sku} has no sequence: publish it with one")
        if change.sku not in newest or newest[change.sku][0] < change.sequence:
            newest[change.sku] = (change.sequence, change)
    entries = recordset(
        sku="text", name="text", price="numeric(12, 2)", currency="text", active="boolean", sequence="bigint"
    )
    # In one fixed order, so that two batches lock the same rows without a deadlock. Django's
    # bulk_create(update_conflicts=True) cannot say "only where newer"; SQLite needs the WHERE to tell ON from a join's.
    run(
        f"""
        INSERT INTO orders_catalogueitem (sku, name, price, currency, active, sequence)
        SELECT sku, name, price, currency, active, sequence FROM {entries}
        WHERE true ORDER BY sku
        ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price = excluded.price, currency = excluded.currency,
            active = excluded.active, sequence = excluded.sequence
        WHERE orders_catalogueitem.sequence < excluded.sequence
        """,  # noqa: S608 - put together from the names above
        as_json(
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
    )
