"""Triggers that keep the audit of operators append-only, for all clients.

A remake of the table on SQLite drops its triggers: a migration that makes one ends with the statements that create them.
"""

POSTGRESQL = (
    """
    CREATE FUNCTION bus_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'bus_auditentry is append-only and refuses %', TG_OP USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    """
    CREATE TRIGGER bus_audit_append_only BEFORE UPDATE OR DELETE ON bus_auditentry
    FOR EACH ROW EXECUTE FUNCTION bus_audit_refuse()
    """,
    """
    CREATE TRIGGER bus_audit_no_truncate BEFORE TRUNCATE ON bus_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION bus_audit_refuse()
    """,
)
DROP_POSTGRESQL = (
    "DROP TRIGGER bus_audit_no_truncate ON bus_auditentry",
    "DROP TRIGGER bus_audit_append_only ON bus_auditentry",
    "DROP FUNCTION bus_audit_refuse()",
)
SQLITE = (
    """
    CREATE TRIGGER bus_audit_no_update BEFORE UPDATE ON bus_auditentry
    BEGIN SELECT RAISE(ABORT, 'bus_auditentry is append-only and refuses UPDATE'); END
    """,
    # It also refuses what stands for TRUNCATE here, a DELETE of all rows.
    """
    CREATE TRIGGER bus_audit_no_delete BEFORE DELETE ON bus_auditentry
    BEGIN SELECT RAISE(ABORT, 'bus_auditentry is append-only and refuses DELETE'); END
    """,
    # REPLACE deletes the row that it replaces without calling the trigger above.
    """
    CREATE TRIGGER bus_audit_no_replace BEFORE INSERT ON bus_auditentry
    WHEN EXISTS (SELECT 1 FROM bus_auditentry WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'bus_auditentry is append-only and refuses REPLACE'); END
    """,
)
DROP_SQLITE = (
    "DROP TRIGGER bus_audit_no_replace",
    "DROP TRIGGER bus_audit_no_delete",
    "DROP TRIGGER bus_audit_no_update",
)
