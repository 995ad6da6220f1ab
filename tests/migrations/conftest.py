"""Databases of their own, since these tests migrate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.migrations.helpers import empty_database


@pytest.fixture
def empty(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> Iterator[None]:
    """A new, empty database as the default one."""
    with django_db_blocker.unblock(), empty_database(tmp_path):
        yield
