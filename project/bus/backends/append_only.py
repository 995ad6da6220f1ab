"""Operations of a migration that keep a table append-only, for all clients."""

from collections.abc import Sequence

from django.db.migrations.operations.base import Operation

from .migrations import RunPostgreSQL, RunSQLite


def append_only(table: str, *, prefix: str) -> Sequence[Operation]:
    """Return operations that make triggers, which refuse to change, delete, replace or truncate rows.

    A remake of the table on SQLite drops its triggers: a migration that makes one ends with these operations.

    Args:
        prefix: of the names of the triggers and their function.

    Example::

        operations = [migrations.CreateModel(...), *append_only("shop_receipt", prefix="shop_receipt")]
    """
    return (
        RunPostgreSQL(
            (
                f"""
                CREATE FUNCTION {prefix}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION '{table} is append-only and refuses %', TG_OP USING ERRCODE = 'restrict_violation';
                END
                $$
                """,
                f"""
                CREATE TRIGGER {prefix}_append_only BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION {prefix}_refuse()
                """,
                f"""
                CREATE TRIGGER {prefix}_no_truncate BEFORE TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION {prefix}_refuse()
                """,
            ),
            (
                f"DROP TRIGGER {prefix}_no_truncate ON {table}",
                f"DROP TRIGGER {prefix}_append_only ON {table}",
                f"DROP FUNCTION {prefix}_refuse()",
            ),
        ),
        RunSQLite(
            (
                f"""
                CREATE TRIGGER {prefix}_no_update BEFORE UPDATE ON {table}
                BEGIN SELECT RAISE(ABORT, '{table} is append-only and refuses UPDATE'); END
                """,
                # It also refuses what stands for TRUNCATE here, a DELETE of all rows.
                f"""
                CREATE TRIGGER {prefix}_no_delete BEFORE DELETE ON {table}
                BEGIN SELECT RAISE(ABORT, '{table} is append-only and refuses DELETE'); END
                """,
                # REPLACE deletes the row that it replaces without calling the trigger above.
                f"""
                CREATE TRIGGER {prefix}_no_replace BEFORE INSERT ON {table}
                WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)
                BEGIN SELECT RAISE(ABORT, '{table} is append-only and refuses REPLACE'); END
                """,
            ),
            tuple(f"DROP TRIGGER {prefix}_{name}" for name in ("no_replace", "no_delete", "no_update")),
        ),
    )
