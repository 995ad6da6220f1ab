"""Triggers that keep the audit append-only, for all clients.

A remake of the table on SQLite drops its triggers: a migration that makes one ends with the statements that create them.
"""

POSTGRESQL = (
    """
    CREATE FUNCTION audit_change_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'audit_change is append-only and refuses %', TG_OP USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    """
    CREATE TRIGGER audit_change_append_only BEFORE UPDATE OR DELETE ON audit_change
    FOR EACH ROW EXECUTE FUNCTION audit_change_refuse()
    """,
    """
    CREATE TRIGGER audit_change_no_truncate BEFORE TRUNCATE ON audit_change
    FOR EACH STATEMENT EXECUTE FUNCTION audit_change_refuse()
    """,
)
DROP_POSTGRESQL = (
    "DROP TRIGGER audit_change_no_truncate ON audit_change",
    "DROP TRIGGER audit_change_append_only ON audit_change",
    "DROP FUNCTION audit_change_refuse()",
)
SQLITE = (
    """
    CREATE TRIGGER audit_change_no_update BEFORE UPDATE ON audit_change
    BEGIN SELECT RAISE(ABORT, 'audit_change is append-only and refuses UPDATE'); END
    """,
    # It also refuses what stands for TRUNCATE here, a DELETE of all rows.
    """
    CREATE TRIGGER audit_change_no_delete BEFORE DELETE ON audit_change
    BEGIN SELECT RAISE(ABORT, 'audit_change is append-only and refuses DELETE'); END
    """,
    # REPLACE deletes the row that it replaces without calling the trigger above.
    """
    CREATE TRIGGER audit_change_no_replace BEFORE INSERT ON audit_change
    WHEN EXISTS (SELECT 1 FROM audit_change WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit_change is append-only and refuses REPLACE'); END
    """,
)
DROP_SQLITE = (
    "DROP TRIGGER audit_change_no_replace",
    "DROP TRIGGER audit_change_no_delete",
    "DROP TRIGGER audit_change_no_update",
)
