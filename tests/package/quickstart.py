"""Does what docs/bus-quickstart.md says: writes its files, makes its environment, and runs its commands."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "bus-quickstart.md"
#: What `django-admin startproject` would have made.
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
execute_from_command_line(sys.argv)
"""


def build_wheel(directory: Path) -> Path:
    """Build the package as `make wheel` does."""
    uv("build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", directory, BUS)
    (wheel,) = directory.glob("*.whl")
    return wheel


def uv(*arguments: object) -> None:
    """Run uv, which the development environment has."""
    subprocess.run([Path(sys.executable).parent / "uv", *map(str, arguments)], check=True)


BUS = ROOT / "project" / "bus"


def install(directory: Path, *requirements: object) -> Path:
    """Make an environment with these packages and what they need. Return its folder of programs."""
    uv("venv", "--quiet", "--python", sys.executable, directory)
    uv("pip", "install", "--quiet", "--python", directory / "bin" / "python", *requirements)
    return directory / "bin"


def write_project(directory: Path) -> None:
    """Write each code block of the page that begins with a path into that file."""
    blocks = re.findall(r"^```python\n# (\S+)\n(.+?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert [name for name, _ in blocks], "the page shows files"
    for name, code in [*blocks, ("shop/__init__.py", ""), ("manage.py", MANAGE)]:
        file = directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)


def rows(directory: Path, query: str) -> list[tuple[object, ...]]:
    """Query the project's database."""
    with closing(sqlite3.connect(directory / "db.sqlite3")) as database:
        return database.execute(query).fetchall()
