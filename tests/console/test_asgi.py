"""The project on an ASGI server."""

import httpx
import pytest
from django.db import connection

from tests.system import System, eventually

SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server sessions")
def test_an_asgi_server_closes_the_database_session_of_each_request(system: System) -> None:
    address = system.web("project.asgi", "--worker-class", "asgi")
    for _ in range(20):
        httpx.get(f"{address}/api/v1/products/").raise_for_status()

    def open_sessions() -> int:
        with connection.cursor() as cursor:
            cursor.execute(SESSIONS)
            return int(cursor.fetchone()[0])

    eventually(lambda: open_sessions() == 0, within=10, what="all sessions are closed")
