"""Models declare what PostgreSQL has: no foreign keys to stock rows, and names that every database takes.

SQLite drops the two foreign keys as well, for triggers that keep stock rows with movements in place. It remakes five
tables for that, and with them their triggers.
"""

import django.db.models.deletion
from django.db import migrations, models

from project.bus.backends.migrations import ChangeInPlace, RenameConstraints, RunSQLite

from . import _triggers


def to_stock(related_name: str) -> models.ForeignKey:
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to="inventory.stock",
    )


class Migration(migrations.Migration):
    dependencies = [("inventory", "0006_ledger_by_sets")]
    operations = [
        # The way back ends with this one: the remakes dropped the ledger's triggers.
        RunSQLite((), _triggers.LEDGER_SQLITE),
        RenameConstraints("product", {"inventory_product_price_not_negative": "inventory_product_price"}),
        RenameConstraints("allocation", {"inventory_allocation_state_known": "inventory_allocation_state"}),
        RenameConstraints("stock", {"inventory_stock_reserved_within_on_hand": "inventory_stock_within_on_hand"}),
        # Migration 0006 dropped the foreign keys on PostgreSQL.
        ChangeInPlace(
            "reservation", [migrations.AlterField("reservation", "stock", to_stock("reservations"))]
        ),
        RenameConstraints(
            "reservation",
            {
                "inventory_reservation_quantity_positive": "inventory_reservation_quantity",
                "inventory_reservation_state_known": "inventory_reservation_state",
            },
        ),
        ChangeInPlace("movement", [migrations.AlterField("movement", "stock", to_stock("movements"))]),
        RenameConstraints(
            "movement",
            {
                "inventory_movement_moves_something": "inventory_movement_not_empty",
                "inventory_movement_names_its_cause": "inventory_movement_has_cause",
            },
        ),
        RunSQLite((*_triggers.LEDGER_SQLITE, *_triggers.STOCK_SQLITE), _triggers.DROP_STOCK_SQLITE),
    ]
