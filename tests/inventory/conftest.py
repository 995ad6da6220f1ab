"""Fixtures that inventory's tests share."""

from pathlib import Path

import pytest


@pytest.fixture
def written(tmp_path):
    """Write a file; gives its path."""

    def written(content: str | bytes) -> Path:
        path = tmp_path / "delivery.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written
