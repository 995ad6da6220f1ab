"""The project behind a web server that speaks ASGI."""

import httpx
import pytest
from django.db import connection

from tests.system import System, eventually

SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no sessions to run out of")
def test_an_asgi_server_leaves_no_session_open_behind_a_request(system: System) -> None:
    address = system.web("project.asgi", "--worker-class", "asgi")
    for _ in range(20):
        httpx.get(f"{address}/api/v1/products/").raise_for_status()

    def open_sessions() -> int:
        with connection.cursor() as cursor:
            cursor.execute(SESSIONS)
            return int(cursor.fetchone()[0])

    eventually(lambda: open_sessions() == 0, within=10, what="all sessions are closed")
