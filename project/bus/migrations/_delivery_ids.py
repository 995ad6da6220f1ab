"""SQLite: no delivery gets the id of an earlier one after a migration remade the table.

A remake loses the counter of AUTOINCREMENT: the next id follows the highest of the deliveries that are still owed, and
such an id may be that of a receipt, so the new delivery could never be done. A migration that remakes `bus_delivery`
ends with `AFTERWARDS`, and begins with `ON_THE_WAY_BACK`.
"""

from ..backends.migrations import RunSQLite

_RESTORE = (
    "DELETE FROM sqlite_sequence WHERE name = 'bus_delivery'",
    """
    INSERT INTO sqlite_sequence (name, seq)
    SELECT 'bus_delivery', max(
        ifnull((SELECT max(id) FROM bus_delivery), 0),
        ifnull((SELECT max(delivery_id) FROM bus_receipt), 0),
        ifnull((SELECT max(delivery_id) FROM bus_failure), 0)
    )
    """,
)

AFTERWARDS = RunSQLite(_RESTORE, ())
ON_THE_WAY_BACK = RunSQLite((), _RESTORE)
