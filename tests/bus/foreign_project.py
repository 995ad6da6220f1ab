"""A Django project that is not ours, which has the bus's folder alone, under another name."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BUS = Path(__file__).parents[2] / "project" / "bus"


def run_project(directory: Path, *, files: Mapping[str, str]) -> str:
    """Write the project's files beside the bus as `postbox`, run its main.py, and return what it prints."""
    shutil.copytree(BUS, directory / "postbox", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    # Set by `make coverage` alone.
    coverage = {name: os.environ[name] for name in ("COVERAGE_PROCESS_CONFIG", "PYTHONPATH") if name in os.environ}
    run = subprocess.run(
        [sys.executable, "main.py"],
        cwd=directory,
        env={"PATH": "", "HOME": str(directory)} | coverage,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
