"""Triggers that keep the ledger append-only, and stock rows that have movements in place, for all clients.

A remake of a table on SQLite drops the table's triggers, and fails while a trigger of another table names it. A
migration that remakes `inventory_movement` or `inventory_stock` there begins with the statements that drop the stock's
triggers and ends with those that create what is gone.
"""

LEDGER_REMEDY = "write a further movement that corrects it"
STOCK_REMEDY = "set its figures to zero by operations, which tell the ledger"

LEDGER_POSTGRESQL = (
    f"""
    CREATE FUNCTION inventory_movement_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'inventory_movement is append-only and refuses %: {LEDGER_REMEDY}', TG_OP
            USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    """
    CREATE TRIGGER inventory_movement_append_only BEFORE UPDATE OR DELETE ON inventory_movement
    FOR EACH ROW EXECUTE FUNCTION inventory_movement_refuse()
    """,
    """
    CREATE TRIGGER inventory_movement_no_truncate BEFORE TRUNCATE ON inventory_movement
    FOR EACH STATEMENT EXECUTE FUNCTION inventory_movement_refuse()
    """,
)
DROP_LEDGER_POSTGRESQL = (
    "DROP TRIGGER inventory_movement_no_truncate ON inventory_movement",
    "DROP TRIGGER inventory_movement_append_only ON inventory_movement",
    "DROP FUNCTION inventory_movement_refuse()",
)
LEDGER_SQLITE = (
    f"""
    CREATE TRIGGER inventory_movement_no_update BEFORE UPDATE ON inventory_movement
    BEGIN SELECT RAISE(ABORT, 'inventory_movement is append-only and refuses UPDATE: {LEDGER_REMEDY}'); END
    """,
    # It also refuses what stands for TRUNCATE here, a DELETE of all rows.
    f"""
    CREATE TRIGGER inventory_movement_no_delete BEFORE DELETE ON inventory_movement
    BEGIN SELECT RAISE(ABORT, 'inventory_movement is append-only and refuses DELETE: {LEDGER_REMEDY}'); END
    """,
    # REPLACE deletes the row that it replaces without calling the trigger above.
    f"""
    CREATE TRIGGER inventory_movement_no_replace BEFORE INSERT ON inventory_movement
    WHEN EXISTS (SELECT 1 FROM inventory_movement WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'inventory_movement is append-only and refuses REPLACE: {LEDGER_REMEDY}'); END
    """,
)
DROP_LEDGER_SQLITE = (
    "DROP TRIGGER inventory_movement_no_replace",
    "DROP TRIGGER inventory_movement_no_delete",
    "DROP TRIGGER inventory_movement_no_update",
)
STOCK_POSTGRESQL = (
    f"""
    CREATE FUNCTION inventory_stock_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            IF NOT EXISTS (SELECT FROM inventory_movement) THEN
                RETURN NULL;
            END IF;
        ELSIF NOT EXISTS (SELECT FROM inventory_movement WHERE stock_id = OLD.id) THEN
            RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
        END IF;
        RAISE EXCEPTION 'inventory_stock refuses % of what has movements: {STOCK_REMEDY}', TG_OP
            USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    """
    CREATE TRIGGER inventory_stock_stays BEFORE DELETE OR UPDATE OF id ON inventory_stock
    FOR EACH ROW EXECUTE FUNCTION inventory_stock_refuse()
    """,
    """
    CREATE TRIGGER inventory_stock_no_truncate BEFORE TRUNCATE ON inventory_stock
    FOR EACH STATEMENT EXECUTE FUNCTION inventory_stock_refuse()
    """,
)
DROP_STOCK_POSTGRESQL = (
    "DROP TRIGGER inventory_stock_no_truncate ON inventory_stock",
    "DROP TRIGGER inventory_stock_stays ON inventory_stock",
    "DROP FUNCTION inventory_stock_refuse()",
)
STOCK_SQLITE = (
    f"""
    CREATE TRIGGER inventory_stock_no_delete BEFORE DELETE ON inventory_stock
    WHEN EXISTS (SELECT 1 FROM inventory_movement WHERE stock_id = OLD.id)
    BEGIN SELECT RAISE(ABORT, 'inventory_stock refuses DELETE of what has movements: {STOCK_REMEDY}'); END
    """,
    f"""
    CREATE TRIGGER inventory_stock_no_renumber BEFORE UPDATE OF id ON inventory_stock
    WHEN EXISTS (SELECT 1 FROM inventory_movement WHERE stock_id = OLD.id)
    BEGIN SELECT RAISE(ABORT, 'inventory_stock refuses UPDATE of what has movements: {STOCK_REMEDY}'); END
    """,
    f"""
    CREATE TRIGGER inventory_stock_no_replace BEFORE INSERT ON inventory_stock
    WHEN EXISTS (SELECT 1 FROM inventory_movement WHERE stock_id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'inventory_stock refuses REPLACE of what has movements: {STOCK_REMEDY}'); END
    """,
)
DROP_STOCK_SQLITE = (
    "DROP TRIGGER inventory_stock_no_replace",
    "DROP TRIGGER inventory_stock_no_renumber",
    "DROP TRIGGER inventory_stock_no_delete",
)
