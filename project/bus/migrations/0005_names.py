"""Name indexes and constraints after the app, and columns by the words of the field.

PostgreSQL renames in place. SQLite remakes the tables of subscriptions, deliveries and refused messages.
"""

from django.db import migrations, models

from ..backends.migrations import ChangeInPlace, RenameConstraints, RunPostgreSQL, RunSQLite
from ..models import Bytewise
from . import _delivery_ids


class Migration(migrations.Migration):
    dependencies = [("bus", "0004_one_way_to_deliveries")]
    operations = [
        _delivery_ids.ON_THE_WAY_BACK,
        migrations.RenameField("subscription", "rests", "openings"),
        migrations.RenameField("subscription", "rests_until", "open_until"),
        migrations.RenameField("receipt", "ended_at", "settled_at"),
        RunPostgreSQL(
            [
                "ALTER TABLE bus_subscription "
                "RENAME CONSTRAINT bus_subscription_rests_check TO bus_subscription_openings_check"
            ],
            [
                "ALTER TABLE bus_subscription "
                "RENAME CONSTRAINT bus_subscription_openings_check TO bus_subscription_rests_check"
            ],
        ),
        RenameConstraints("subscription", {"subscription_once": "bus_subscription_once"}),
        RenameConstraints("refusedmessage", {"refused_once": "bus_refused_once"}),
        ChangeInPlace(
            "delivery",
            [
                migrations.RemoveConstraint("delivery", "delivery_once"),
                migrations.AddConstraint(
                    "delivery", models.UniqueConstraint("event", Bytewise("handler"), name="bus_delivery_once")
                ),
            ],
            ["ALTER INDEX delivery_once RENAME TO bus_delivery_once"],
            ["ALTER INDEX bus_delivery_once RENAME TO delivery_once"],
        ),
        migrations.RenameIndex("event", new_name="bus_event_subject", old_name="event_subject"),
        migrations.RenameIndex("event", new_name="bus_event_correlation", old_name="event_correlation"),
        migrations.RenameIndex("event", new_name="bus_event_type", old_name="event_type"),
        migrations.RenameIndex("delivery", new_name="bus_delivery_fresh", old_name="delivery_fresh"),
        migrations.RenameIndex("delivery", new_name="bus_delivery_retried", old_name="delivery_tried"),
        migrations.RenameIndex("delivery", new_name="bus_delivery_dead", old_name="delivery_dead"),
        # RenameField leaves the index on the old field in the models' state.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex("receipt", "receipt_ended"),
                migrations.AddIndex("receipt", models.Index(fields=["settled_at"], name="bus_receipt_settled")),
            ],
            database_operations=[
                RunPostgreSQL(
                    ["ALTER INDEX receipt_ended RENAME TO bus_receipt_settled"],
                    ["ALTER INDEX bus_receipt_settled RENAME TO receipt_ended"],
                ),
                RunSQLite(
                    [
                        "DROP INDEX receipt_ended",
                        'CREATE INDEX "bus_receipt_settled" ON "bus_receipt" ("settled_at")',
                    ],
                    [
                        "DROP INDEX bus_receipt_settled",
                        'CREATE INDEX "receipt_ended" ON "bus_receipt" ("settled_at")',
                    ],
                ),
            ],
        ),
        migrations.RenameIndex("failurecount", new_name="bus_failure_count_last", old_name="failure_count_last"),
        migrations.RenameIndex("failure", new_name="bus_failure_signature", old_name="failure_signature"),
        migrations.RenameIndex("failure", new_name="bus_failure_failed", old_name="failure_failed"),
        migrations.RenameIndex("auditentry", new_name="bus_audit_at", old_name="audit_at"),
        _delivery_ids.AFTERWARDS,
    ]
