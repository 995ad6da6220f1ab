"""Fixtures of the tests of inventory."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write_file(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write the file of a delivery and return its path."""

    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "delivery.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file
